import { Button, Card, Code, Group, Text } from "@mantine/core";
import { IconBook2, IconPlayerPlay, IconRoute } from "@tabler/icons-react";
import { useMay } from "../session/session";
import { ButtonLink } from "../ui/ButtonLink";
import { EmptyState } from "../ui/EmptyState";
import classes from "./Home.module.css";

/** In place of charts of nothing: what to begin with. */
export function Start() {
  const maySubmit = useMay("submit");
  return (
    <Card className={classes.panel} padding="md">
      <EmptyState
        icon={IconRoute}
        title="Nothing has been run yet"
        text={
          maySubmit ? (
            <>
              Any image with a command is an execution: fill in the form, choose a method, or say it in a
              terminal.
            </>
          ) : (
            "As soon as something is submitted, it is shown here. Your token may look, but not submit."
          )
        }
        action={
          <>
            {maySubmit && (
              <Text component="div" fz="sm" mb="xs">
                <Code className={classes.command}>tailrace run busybox -- echo hello</Code>
              </Text>
            )}
            <Group gap="xs" justify="center">
              {maySubmit && (
                <ButtonLink to="/submit" leftSection={<IconPlayerPlay size={16} />}>
                  Submit
                </ButtonLink>
              )}
              <ButtonLink to="/methods" variant="default">
                Methods
              </ButtonLink>
              <Button component="a" href="/docs" variant="default" leftSection={<IconBook2 size={16} />}>
                API
              </Button>
            </Group>
          </>
        }
      />
    </Card>
  );
}

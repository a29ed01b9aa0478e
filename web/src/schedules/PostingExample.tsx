import { Box, Stack, Text } from "@mantine/core";
import { CopyButton } from "../ui/CopyButton";
import ui from "../ui/ui.module.css";
import { exampleBody, postingOf } from "./posting";
import type { Trigger } from "./queries";
import classes from "./Schedules.module.css";

interface PostingExampleProps {
  trigger: Trigger;
  address: string;
  secret: string | null;
}

/** Commands that post to a trigger, to be tried in a shell. */
export function PostingExample({ trigger, address, secret }: PostingExampleProps) {
  const { signature } = trigger;
  const code = postingOf({ address, signature, secret, body: exampleBody(trigger) });
  return (
    <Stack gap={6}>
      <Text fz="sm" fw={600}>
        To post from a shell
      </Text>
      <Box pos="relative">
        <Box pos="absolute" top={8} right={8}>
          <CopyButton value={code} what="Copy the commands" />
        </Box>
        {/* It scrolls, so keys have to reach it. */}
        <section className={`${ui.json} ${classes.posting}`} aria-label="How to post" tabIndex={0}>
          {code}
        </section>
      </Box>
    </Stack>
  );
}

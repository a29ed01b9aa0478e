import { Button, CopyButton as Copy, Group, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCheck, IconLink } from "@tabler/icons-react";
import type { Schemas } from "../api/types";
import { CopyButton } from "../ui/CopyButton";

/** A share that was made just now: the link for people, and the addresses for programs. */
export function ShareLink({ share: { links } }: { share: Schemas["ShareWithSecret"] }) {
  const [opened, { toggle }] = useDisclosure();
  const addresses = [
    ["Log", links.logs],
    ["Outputs", links.outputs],
    ["Record", links.self],
  ] as const;
  return (
    <Stack gap="xs">
      <Group align="flex-end" gap="xs">
        <TextInput
          label="Link"
          description="It is shown now and never again."
          value={links.page}
          readOnly
          flex="1 1 14rem"
          onFocus={(event) => event.currentTarget.select()}
        />
        <Copy value={links.page}>
          {({ copied, copy }) => (
            <Button onClick={copy} leftSection={copied ? <IconCheck size={16} /> : <IconLink size={16} />}>
              {copied ? "Copied" : "Copy link"}
            </Button>
          )}
        </Copy>
      </Group>
      <Button variant="subtle" size="compact-sm" onClick={toggle} aria-expanded={opened} w="fit-content">
        Addresses for programs
      </Button>
      {opened && (
        <>
          <Text fz="sm" c="dimmed">
            The same without a page; these have the token in them.
          </Text>
          {addresses.map(([what, address]) => (
            <TextInput
              key={what}
              label={what}
              value={address}
              readOnly
              onFocus={(event) => event.currentTarget.select()}
              rightSection={<CopyButton value={address} what={`Copy the address of ${what.toLowerCase()}`} />}
            />
          ))}
        </>
      )}
    </Stack>
  );
}

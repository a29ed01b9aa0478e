import { Button, Group, Select, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { FormErrors } from "../submit/errors";
import { Dialog } from "../ui/Dialog";
import { ProblemView } from "../ui/ProblemView";
import { isOverlap, OVERLAP_CHOICES } from "./overlaps";
import { SCHEDULES, type Schedule } from "./queries";
import { RuleFields } from "./RuleFields";
import { freshRule } from "./rules";
import { nameFor, type Target } from "./targets";
import { Upcoming } from "./Upcoming";

interface ScheduleDialogProps {
  /** What each firing submits. */
  target: Target;
  onClose: () => void;
}

/** Submit something by the clock: its name, and when. */
export function ScheduleDialog({ target, onClose }: ScheduleDialogProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(() => nameFor(target));
  const [rule, setRule] = useState(freshRule);
  const [overlap, setOverlap] = useState<Schedule["overlap"]>("skip");
  const making = useMutation({
    mutationFn: () => {
      const body = { name, rule, overlap, targets: [target] } as unknown as Schemas["NewSchedule"];
      return ask(api.POST("/v1/schedules", { body }));
    },
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: SCHEDULES });
      await navigate({ to: "/schedules/$id", params: { id } });
    },
  });
  const errors = new FormErrors(making.error ? asProblem(making.error).errors : []);
  return (
    <Dialog onClose={onClose} title="Submit it by the clock" size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // A dialog is drawn in the form that opened it, as far as events go.
          event.stopPropagation();
          making.mutate();
        }}
      >
        <Stack gap="md">
          <TextInput
            label="Name"
            description="Of the schedule: you have one of each name."
            required
            data-autofocus
            value={name}
            error={errors.at("name")}
            onChange={({ currentTarget }) => setName(currentTarget.value)}
          />
          <RuleFields rule={rule} errors={errors} onChange={setRule} />
          <Select
            label="While the last one runs"
            data={OVERLAP_CHOICES}
            value={overlap}
            allowDeselect={false}
            error={errors.at("overlap")}
            onChange={(next) => isOverlap(next) && setOverlap(next)}
          />
          <Upcoming rule={rule} />
          <ProblemView
            error={making.error}
            shownFields={["name", "rule.cron", "rule.time_zone", "overlap"]}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={making.isPending}>
              Make the schedule
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

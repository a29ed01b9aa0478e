import { Alert, List, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { asProblem } from "../api/problem";
import { Said } from "./Said";

interface ProblemViewProps {
  /** Whatever was thrown; null shows nothing. */
  error: unknown;
  /** Fields whose errors stand beside their inputs already. */
  shownFields?: readonly string[];
}

/** What went wrong, in the API's own words: the sentence, what to do, and every field. */
export function ProblemView({ error, shownFields = [] }: ProblemViewProps) {
  if (!error) return null;
  const { title, detail, hint, errors, requestId } = asProblem(error);
  const fields = errors.filter(({ field }) => !shownFields.includes(field));
  return (
    <Alert color="red" variant="light" title={title} icon={<IconAlertTriangle />} role="alert">
      {errors.length === 0 && (
        <Text fz="sm">
          <Said>{detail}</Said>
        </Text>
      )}
      {fields.length > 0 && (
        <List fz="sm" mb={4}>
          {fields.map(({ field, message }) => (
            <List.Item key={`${field} ${message}`}>
              <code>{field}</code> <Said>{message}</Said>
            </List.Item>
          ))}
        </List>
      )}
      {hint && (
        <Text fz="sm" c="dimmed">
          <Said>{hint}</Said>
        </Text>
      )}
      {requestId && (
        <Text fz="xs" c="dimmed" mt={4}>
          Request {requestId}
        </Text>
      )}
    </Alert>
  );
}

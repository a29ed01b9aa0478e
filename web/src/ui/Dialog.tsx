import { Modal, type ModalProps } from "@mantine/core";
import { useEffect } from "react";
import { giveFocusBack } from "./focus";

/** A dialog for as long as it is drawn; the focus goes back to where it was before. */
export function Dialog(props: Omit<ModalProps, "opened">) {
  useEffect(() => giveFocusBack, []);
  return <Modal opened {...props} />;
}

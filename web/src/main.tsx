import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/jetbrains-mono/wght.css";
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./theme.css";
import { MantineProvider } from "@mantine/core";
import { ModalsProvider } from "@mantine/modals";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queries } from "./api/queries";
import { followLinks } from "./layout/following";
import { goLive } from "./live/live";
import { router } from "./router";
import { beGuest, heedOtherLinks, isForGuests } from "./session/guest";
import { theme, variables } from "./theme";
import { followFocus, giveFocusBack } from "./ui/focus";

// The policy of the page lets nobody make styles but who knows this.
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? "";
setNonce(nonce);

// A part of the page that was not loaded yet has another name since it was built anew.
addEventListener("vite:preloadError", () => location.reload());

const root = document.getElementById("root");
if (!root) throw new Error("The page has no place for the monitor.");
if (isForGuests(location.pathname)) {
  beGuest(location.hash);
  heedOtherLinks();
} else goLive();
followFocus();
followLinks(router);
createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={queries}>
        <ModalsProvider modalProps={{ onExitTransitionEnd: giveFocusBack }}>
          <Notifications position="bottom-right" />
          <RouterProvider router={router} />
        </ModalsProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);

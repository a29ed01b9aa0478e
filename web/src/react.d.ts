import "react";

declare module "react" {
  // Custom properties are set as any other.
  interface CSSProperties {
    [property: `--${string}`]: string | number | undefined;
  }
}

import { type Span, type Style, spansOf } from "./ansi";
import { drawn } from "./colors";
import classes from "./lines.module.css";
import { markedSpans, type Piece } from "./matching";

interface LineTextProps {
  text: string;
  /** What was on before it. */
  style: Style | null;
  /** What is marked in it. */
  expression: RegExp | null;
}

/** A line with its colours, and with its matches marked. */
export function LineText({ text, style, expression }: LineTextProps) {
  const pieces = markedSpans(spansOf(text, style), expression);
  const [only] = pieces;
  if (pieces.length === 1 && only && !only.style && !only.marked) return only.text;
  let at = 0;
  return pieces.map((piece) => {
    const key = at;
    at += piece.text.length;
    return <PieceText key={key} piece={piece} />;
  });
}

/** A match has the colours of matches: those of a program may not be seen on them. */
function PieceText({ piece }: { piece: Piece }) {
  return piece.marked ? <mark className={classes.match}>{piece.text}</mark> : <SpanText span={piece} />;
}

function SpanText({ span: { text, style } }: { span: Span }) {
  if (!style) return text;
  const { css, adapts } = drawn(style);
  return (
    <span style={css} className={adapts ? classes.adapted : undefined}>
      {text}
    </span>
  );
}

/** Which of the two plugin styles a file has: the methods of its `class Handler`, by the syntax tree. */
import { ManifestError } from "./manifest_error.ts";
import {
  errorAt,
  partsOf,
  type PythonSource,
  statementsOf,
  type SyntaxNode,
  textOf,
} from "./python_syntax.ts";

/** "execute": `Handler.execute(file_path)` yields tables; "consume": the older `context.publish` style. */
export type HandlerStyle = "execute" | "consume";

const HANDLER_EXAMPLE = `class Handler:
    def execute(self, file_path):
        yield pandas.read_csv(file_path)`;
/** Classes looked at in all: a chain of bases may be a circle. */
const CLASSES_MAX = 16;

/** @throws {ManifestError} If there is no class Handler, or it can do neither. `execute` wins over `consume`. */
export function findHandlerStyle(python: PythonSource): HandlerStyle {
  const handler = classNamed(python, "Handler");
  if (handler === null) {
    throw new ManifestError(`Cannot find class Handler at the top level: add\n${HANDLER_EXAMPLE}`);
  }
  const methods = methodsOf(python, handler);
  if (methods.has("execute")) return "execute";
  if (methods.has("consume")) return "consume";
  throw errorAt(
    python,
    handler.from,
    `Cannot use class Handler as it has no method execute(self, file_path): write\n${HANDLER_EXAMPLE}`,
  );
}

/** The last one, as in Python. */
function classNamed(python: PythonSource, name: string): SyntaxNode | null {
  return statementsOf(python.root).findLast((node) =>
    node.name === "ClassDefinition" &&
    partsOf(node).some((part) => part.name === "VariableName" && textOf(python, part) === name)
  ) ?? null;
}

/** The methods of a class and of those of its base classes that stand in the same file. */
function methodsOf(python: PythonSource, first: SyntaxNode): Set<string> {
  const methods = new Set<string>();
  const classes = [first];
  for (let at = 0; at < Math.min(classes.length, CLASSES_MAX); at++) {
    const parts = partsOf(classes[at]!);
    const body = parts.find((part) => part.name === "Body");
    const bases = parts.find((part) => part.name === "ArgList");
    for (const node of body === undefined ? [] : statementsOf(body)) {
      const name = node.name === "FunctionDefinition" && node.getChild("VariableName");
      if (name) methods.add(textOf(python, name));
    }
    for (const base of bases?.getChildren("VariableName") ?? []) {
      const found = classNamed(python, textOf(python, base));
      if (found !== null) classes.push(found);
    }
  }
  return methods;
}

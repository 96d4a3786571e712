import { type Program, parseSync } from "oxc-parser";

/** A named thing at a line of a source file, counted from 1. */
export interface NamedLine {
  readonly name: string;
  readonly line: number;
}

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

/**
 * Uses of the given global names as plain values. Properties of those names, types and `typeof x`
 * do not count; a local variable of the same name does, so give it another one.
 */
export function freeGlobals(path: string, source: string, names: ReadonlySet<string>): NamedLine[] {
  const found: NamedLine[] = [];
  walk(rootOf(parseSync(path, source).program), (node) => {
    if (node.type === "Identifier" && names.has(String(node["name"]))) {
      found.push({ name: String(node["name"]), line: lineOf(source, node.start) });
    }
    return childrenThatRun(node);
  });
  return found;
}

/** An error class and the value its `name` property is given, where it is a string literal. */
export interface ErrorClass extends NamedLine {
  readonly nameProperty: string | undefined;
}

/** The classes of a file whose base class is called `Error` or `…Error`. */
export function errorClasses(path: string, source: string): ErrorClass[] {
  const found: ErrorClass[] = [];
  walk(rootOf(parseSync(path, source).program), (node) => {
    if (node.type === "ClassDeclaration" || node.type === "ClassExpression") {
      const base = asNode(node["superClass"]);
      const id = asNode(node["id"]);
      if (base?.type === "Identifier" && String(base["name"]).endsWith("Error")) {
        found.push({
          name: id === undefined ? "" : String(id["name"]),
          line: lineOf(source, node.start),
          nameProperty: stringProperty(node, "name"),
        });
      }
    }
    return childrenOf(node);
  });
  return found;
}

function stringProperty(classNode: SyntaxNode, property: string): string | undefined {
  const members = asNode(classNode["body"])?.["body"];
  for (const member of Array.isArray(members) ? members : []) {
    const node = asNode(member);
    if (node?.type !== "PropertyDefinition" || asNode(node["key"])?.["name"] !== property) continue;
    let value = asNode(node["value"]);
    while (value?.type === "TSAsExpression") value = asNode(value["expression"]);
    if (value?.type === "Literal" && typeof value["value"] === "string") return value["value"];
  }
  return undefined;
}

function walk(root: SyntaxNode, visit: (node: SyntaxNode) => SyntaxNode[]): void {
  const pending = [root];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    pending.push(...visit(node).reverse());
  }
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  return Object.values(node).flatMap((value) =>
    (Array.isArray(value) ? value : [value]).map(asNode).filter((child) => child !== undefined),
  );
}

/** The children that are evaluated: no types, no property names, no operand of `typeof`. */
function childrenThatRun(node: SyntaxNode): SyntaxNode[] {
  if (node.type === "UnaryExpression" && node["operator"] === "typeof") return [];
  const named = node["computed"] === true ? undefined : (node["property"] ?? node["key"]);
  return childrenOf(node).filter((child) => child !== named && !isTypeSyntax(child));
}

/** TypeScript syntax that is erased. `x as T`, `x!` and `x satisfies T` contain a value and stay. */
function isTypeSyntax(node: SyntaxNode): boolean {
  return node.type.startsWith("TS") && asNode(node["expression"]) === undefined;
}

function asNode(value: unknown): SyntaxNode | undefined {
  const isNode = typeof value === "object" && value !== null && "type" in value && "start" in value;
  return isNode ? (value as SyntaxNode) : undefined;
}

function rootOf(program: Program): SyntaxNode {
  return program as unknown as SyntaxNode;
}

/** The line of an offset, counted from 1. */
export function lineOf(source: string, offset: number): number {
  return source.slice(0, offset).split("\n").length;
}

// The little of Node that the tests need; its own types are a package of their own.

declare module "node:test" {
  export function test(name: string, body: () => Promise<void>): void;
}

declare module "node:assert/strict" {
  const assert: {
    (value: unknown, message?: string): asserts value;
    equal(actual: unknown, expected: unknown): void;
    deepEqual(actual: unknown, expected: unknown): void;
    rejects(promise: Promise<unknown>, expected: (error: unknown) => boolean): Promise<void>;
  };
  export default assert;
}

declare const process: { env: Record<string, string> };

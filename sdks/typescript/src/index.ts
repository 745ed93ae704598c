// What users of the library import.

export { LoopClient, type ClientOptions } from "./client.js";
export type { Timing } from "./attempts.js";
export {
  clientCredentials,
  refreshToken,
  staticToken,
  type ClientCredentials,
  type Credentials,
  type RefreshCredentials,
  type TokenAnswer,
  type TokenEndpoint,
} from "./credentials.js";
export * from "./errors.js";
export * from "./generated/services.js";
export type { Caller, CallOptions, Operation } from "./operation.js";

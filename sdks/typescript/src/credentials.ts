// Where access tokens come from, and what happens when one ends.

import { LoopError } from "./errors.js";
import type { Operation } from "./operation.js";

/** Gives a client its access tokens. */
export interface Credentials {
  /**
   * A token to send with a call. `rejected` is one that the platform has just refused: whoever
   * can get another gives that one, and whoever cannot gives nothing.
   */
  token(endpoint: TokenEndpoint, rejected?: string): Promise<string | undefined>;
}

/** The platform's token endpoint (RFC 6749 section 3.2). */
export type TokenEndpoint = (parameters: Record<string, string>) => Promise<TokenAnswer>;

/** RFC 6749 section 5.1. */
export interface TokenAnswer {
  access_token: string;
  /** Seconds. */
  expires_in: number;
  refresh_token?: string;
  scope?: string;
}

export interface ClientCredentials {
  clientId: string;
  clientSecret: string;
  /** Space separated. All that the client may have if absent. */
  scope?: string;
  /** The brand the token is for; needed where the client may act in several. */
  brandId?: string;
}

export interface RefreshCredentials {
  clientId: string;
  /** Absent for a public client. */
  clientSecret?: string;
  refreshToken: string;
  /** A token from before that still holds. */
  accessToken?: string;
  /**
   * Each refresh token holds for one use: keep the new one here. The new access token is not
   * used before this has ended.
   */
  onRotate?: (tokens: TokenAnswer) => void | Promise<void>;
}

/** The operation of the token endpoint: a lost answer may be asked for again. */
export const ISSUE_TOKEN: Operation = {
  name: "IdentityService/IssueToken",
  verb: "POST",
  path: "/v1/oauth/token",
  body: { as: "form" },
  public: true,
  repeatable: true,
};

/** A token that somebody else looks after. */
export function staticToken(token: string): Credentials {
  return { token: async (_, rejected) => (rejected === token ? undefined : token) };
}

/** A machine's own tokens (RFC 6749 section 4.4). */
export function clientCredentials(client: ClientCredentials): Credentials {
  return new Renewed((endpoint) =>
    endpoint({
      grant_type: "client_credentials",
      client_id: client.clientId,
      client_secret: client.clientSecret,
      ...(client.scope === undefined ? {} : { scope: client.scope }),
      ...(client.brandId === undefined ? {} : { brand_id: client.brandId }),
    }),
  );
}

/** A person's tokens, refreshed with rotation (RFC 9700 section 4.14). */
export function refreshToken(grant: RefreshCredentials): Credentials {
  let current = grant.refreshToken;
  const renew = async (endpoint: TokenEndpoint) => {
    const tokens = await endpoint({
      grant_type: "refresh_token",
      refresh_token: current,
      client_id: grant.clientId,
      ...(grant.clientSecret === undefined ? {} : { client_secret: grant.clientSecret }),
    });
    current = tokens.refresh_token ?? current;
    await grant.onRotate?.(tokens);
    return tokens;
  };
  return new Renewed(renew, grant.accessToken);
}

/** Seconds before its end at which a token is given up. */
const MARGIN = 10;

/** Keeps a token until shortly before its end. However many calls need the next, one asks. */
class Renewed implements Credentials {
  #held: { token: string; until: number } | undefined;
  #asked: Promise<string> | undefined;

  constructor(
    private readonly renew: (endpoint: TokenEndpoint) => Promise<TokenAnswer>,
    held?: string,
  ) {
    this.#held = held === undefined ? undefined : { token: held, until: Infinity };
  }

  async token(endpoint: TokenEndpoint, rejected?: string): Promise<string> {
    const held = this.#held;
    if (held && held.token !== rejected && Date.now() < held.until) return held.token;
    this.#asked ??= this.#ask(endpoint).finally(() => (this.#asked = undefined));
    return this.#asked;
  }

  async #ask(endpoint: TokenEndpoint): Promise<string> {
    this.#held = undefined;
    const { access_token: token, expires_in: seconds } = await this.renew(endpoint);
    if (typeof token !== "string") {
      throw new LoopError({ status: 200, error: "unknown", message: "the answer holds no token" });
    }
    // Half of a short life is still of use.
    const useful = Math.max(seconds - MARGIN, seconds / 2);
    this.#held = { token, until: Number.isFinite(useful) ? Date.now() + useful * 1000 : Infinity };
    return token;
  }
}

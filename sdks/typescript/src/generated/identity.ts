// Written by `cargo xtask gen` from loop.identity.v1. Do not edit.

import type { Caller, CallOptions, Operation } from "../operation.js";

/**
 * Whether a client can keep a secret.
 *
 * - `confidential`: A web server: has a secret.
 * - `public`: A phone or a single-page app: has none.
 */
export type ClientType = "confidential" | "public";

/** An app that a person has let in. */
export interface ConnectedApp {
  client_id?: string;
  client_name?: string;
  client_uri?: string;
  granted_at?: string;
  is_first_party: boolean;
  logo_uri?: string;
  scopes_granted: Array<string>;
  updated_at?: string;
}

export interface CreateOauthClientResponse {
  client?: OauthClient;
  /** lph_cs_…, shown once. Absent for a public client. */
  client_secret?: string;
}

export interface GetMeResponse {
  brand_id?: string;
  created_at?: string;
  email?: string;
  name?: string;
  /** usr_… */
  user_id?: string;
}

/** RFC 8414 section 2. */
export interface GetServerMetadataResponse {
  authorization_endpoint?: string;
  authorization_response_iss_parameter_supported: boolean;
  code_challenge_methods_supported: Array<string>;
  grant_types_supported: Array<string>;
  introspection_endpoint?: string;
  issuer?: string;
  response_types_supported: Array<string>;
  revocation_endpoint?: string;
  scopes_supported: Array<string>;
  token_endpoint?: string;
  token_endpoint_auth_methods_supported: Array<string>;
}

/** RFC 7662 section 2.2. An inactive token has `active` and nothing else. */
export interface IntrospectTokenResponse {
  active?: boolean;
  brand?: string;
  client_id?: string;
  /** Seconds since 1970. */
  exp?: number;
  scope?: string;
  sub?: string;
  token_type?: string;
}

/** RFC 6749 section 5.1. */
export interface IssueTokenResponse {
  access_token?: string;
  /** Seconds. */
  expires_in: number;
  /** Absent for client_credentials. */
  refresh_token?: string;
  /** Space separated; what was granted. */
  scope?: string;
  /** Always "Bearer". */
  token_type?: string;
}

export interface ListConnectedAppsResponse {
  data: Array<ConnectedApp>;
}

export interface ListOauthClientsResponse {
  clients: Array<OauthClient>;
  next_page_token?: string;
}

/** A program that may ask for tokens. */
export interface OauthClient {
  /** Web origins whose pages may call with the client's tokens, as browsers write them. */
  allowed_origins: Array<string>;
  allowed_scopes: Array<string>;
  /** A business associate agreement is signed: scopes of protected health data may be asked for. */
  baa_signed: boolean;
  brand_id?: string;
  /** cli_… */
  client_id?: string;
  client_name?: string;
  client_type?: ClientType;
  client_uri?: string;
  created_at?: string;
  enabled: boolean;
  is_first_party: boolean;
  logo_uri?: string;
  redirect_uris: Array<string>;
  updated_at?: string;
}

/** What `getServerMetadata` takes. */
export type GetServerMetadataRequest = Record<string, never>;

/** What `issueToken` takes. */
export interface IssueTokenRequest {
  /** The brand a machine client wants its token for; needed where it may act in several. */
  brand_id?: string;
  client_id?: string;
  client_secret?: string;
  code?: string;
  code_verifier?: string;
  grant_type?: string;
  redirect_uri?: string;
  refresh_token?: string;
  /** Space separated. */
  scope?: string;
}

/** What `introspectToken` takes. */
export interface IntrospectTokenRequest {
  client_id?: string;
  client_secret?: string;
  token?: string;
  token_type_hint?: string;
}

/** What `revokeToken` takes. */
export interface RevokeTokenRequest {
  client_id?: string;
  client_secret?: string;
  token?: string;
  token_type_hint?: string;
}

/** What `getMe` takes. */
export type GetMeRequest = Record<string, never>;

/** What `listConnectedApps` takes. */
export type ListConnectedAppsRequest = Record<string, never>;

/** What `disconnectApp` takes. */
export interface DisconnectAppRequest {
  client_id: string;
}

/** What `createOauthClient` takes. */
export interface CreateOauthClientRequest {
  /**
   * Web origins whose pages may call with the client's tokens: https, or http on a loopback
   * address, without a path. Pages of other origins see no answers, and change nothing.
   */
  allowed_origins?: Array<string>;
  allowed_scopes: Array<string>;
  /**
   * The app's operator has signed a business associate agreement. Without one the app is
   * refused every scope that reaches protected health data.
   */
  baa_signed?: boolean;
  client_name: string;
  /** Absent: confidential. */
  client_type?: ClientType;
  client_uri?: string;
  logo_uri?: string;
  /** Compared byte for byte. */
  redirect_uris: Array<string>;
}

/** What `listOauthClients` takes. */
export interface ListOauthClientsRequest {
  /** 1 to 100, 20 if absent. */
  page_size?: number;
  page_token?: string;
}

const GET_SERVER_METADATA: Operation = {
  name: "IdentityService/GetServerMetadata",
  verb: "GET",
  path: "/.well-known/oauth-authorization-server",
  public: true,
};

const ISSUE_TOKEN: Operation = {
  name: "IdentityService/IssueToken",
  verb: "POST",
  path: "/v1/oauth/token",
  body: { as: "form" },
  public: true,
};

const INTROSPECT_TOKEN: Operation = {
  name: "IdentityService/IntrospectToken",
  verb: "POST",
  path: "/v1/oauth/introspect",
  body: { as: "form" },
  public: true,
};

const REVOKE_TOKEN: Operation = {
  name: "IdentityService/RevokeToken",
  verb: "POST",
  path: "/v1/oauth/revoke",
  body: { as: "form" },
  public: true,
};

const GET_ME: Operation = {
  name: "IdentityService/GetMe",
  verb: "GET",
  path: "/v1/users/me",
};

const LIST_CONNECTED_APPS: Operation = {
  name: "IdentityService/ListConnectedApps",
  verb: "GET",
  path: "/v1/users/me/connected-apps",
};

const DISCONNECT_APP: Operation = {
  name: "IdentityService/DisconnectApp",
  verb: "DELETE",
  path: "/v1/users/me/connected-apps/{client_id}",
  keyed: true,
};

const CREATE_OAUTH_CLIENT: Operation = {
  name: "IdentityService/CreateOauthClient",
  verb: "POST",
  path: "/v1/admin/oauth-clients",
  body: { as: "json" },
};

const LIST_OAUTH_CLIENTS: Operation = {
  name: "IdentityService/ListOauthClients",
  verb: "GET",
  path: "/v1/admin/oauth-clients",
  pages: { by: "token", items: "clients" },
};

/** Who people and programs are, and what they may do: OAuth 2.1 with opaque tokens. */
export class Identity {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Returns the authorization server's metadata (RFC 8414). */
  getServerMetadata(
    request: GetServerMetadataRequest = {},
    options: CallOptions = {},
  ): Promise<GetServerMetadataResponse> {
    return this.#caller.call(GET_SERVER_METADATA, request, options);
  }

  /**
   * Exchanges a grant for tokens (RFC 6749 section 3.2): authorization_code with PKCE,
   * refresh_token with rotation, client_credentials.
   *
   * Fails with invalid_request, invalid_client, invalid_grant, unauthorized_client,
   * unsupported_grant_type and invalid_scope.
   */
  issueToken(
    request: IssueTokenRequest = {},
    options: CallOptions = {},
  ): Promise<IssueTokenResponse> {
    return this.#caller.call(ISSUE_TOKEN, request, options);
  }

  /**
   * Tells a client whether a token is active and what it stands for (RFC 7662).
   *
   * Fails with invalid_client.
   */
  introspectToken(
    request: IntrospectTokenRequest = {},
    options: CallOptions = {},
  ): Promise<IntrospectTokenResponse> {
    return this.#caller.call(INTROSPECT_TOKEN, request, options);
  }

  /**
   * Ends a token and all that came from the same grant (RFC 7009).
   *
   * An unknown token is success. Fails with invalid_client.
   */
  revokeToken(
    request: RevokeTokenRequest = {},
    options: CallOptions = {},
  ): Promise<void> {
    return this.#caller.call(REVOKE_TOKEN, request, options);
  }

  /** Returns the caller's own account. */
  getMe(
    request: GetMeRequest = {},
    options: CallOptions = {},
  ): Promise<GetMeResponse> {
    return this.#caller.call(GET_ME, request, options);
  }

  /** Lists the apps the caller has connected. */
  listConnectedApps(
    request: ListConnectedAppsRequest = {},
    options: CallOptions = {},
  ): Promise<ListConnectedAppsResponse> {
    return this.#caller.call(LIST_CONNECTED_APPS, request, options);
  }

  /**
   * Disconnects an app: its grant and every token of it end at once.
   *
   * Fails with GRANT_NOT_FOUND when no active grant stands.
   */
  disconnectApp(
    request: DisconnectAppRequest,
    options: CallOptions = {},
  ): Promise<void> {
    return this.#caller.call(DISCONNECT_APP, request, options);
  }

  /**
   * Registers an OAuth client.
   *
   * The secret of a confidential client is in this answer and never again. Fails with
   * REDIRECT_URI_INVALID, ORIGIN_INVALID and SCOPE_UNKNOWN.
   */
  createOauthClient(
    request: CreateOauthClientRequest,
    options: CallOptions = {},
  ): Promise<CreateOauthClientResponse> {
    return this.#caller.call(CREATE_OAUTH_CLIENT, request, options);
  }

  /** Lists the brand's OAuth clients, newest first. */
  listOauthClients(
    request: ListOauthClientsRequest = {},
    options: CallOptions = {},
  ): Promise<ListOauthClientsResponse> {
    return this.#caller.call(LIST_OAUTH_CLIENTS, request, options);
  }

  /** The items of every page of `listOauthClients`, asked for as they are needed. */
  iterateOauthClients(
    request: ListOauthClientsRequest = {},
    options: CallOptions = {},
  ): AsyncGenerator<OauthClient, void, undefined> {
    return this.#caller.items(LIST_OAUTH_CLIENTS, request, options);
  }
}

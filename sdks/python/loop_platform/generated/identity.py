"""Written by `cargo xtask gen` from loop.identity.v1. Do not edit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, TypedDict, cast

from .._operation import AsyncCaller, Body, Caller, CallOptions, Operation, Pages


ClientType = Literal["confidential", "public"]
"""Whether a client can keep a secret.

- `confidential`: A web server: has a secret.
- `public`: A phone or a single-page app: has none.
"""


class _ConnectedAppRequired(TypedDict):
    is_first_party: bool
    scopes_granted: list[str]


class ConnectedApp(_ConnectedAppRequired, total=False):
    """An app that a person has let in."""

    client_id: str
    client_name: str
    client_uri: str
    granted_at: str
    logo_uri: str
    updated_at: str


class CreateOauthClientResponse(TypedDict, total=False):
    client: OauthClient
    client_secret: str
    """lph_cs_…, shown once. Absent for a public client."""


class GetMeResponse(TypedDict, total=False):
    brand_id: str
    created_at: str
    email: str
    name: str
    user_id: str
    """usr_…"""


class _GetServerMetadataResponseRequired(TypedDict):
    authorization_response_iss_parameter_supported: bool
    code_challenge_methods_supported: list[str]
    grant_types_supported: list[str]
    response_types_supported: list[str]
    scopes_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]


class GetServerMetadataResponse(_GetServerMetadataResponseRequired, total=False):
    """RFC 8414 section 2."""

    authorization_endpoint: str
    introspection_endpoint: str
    issuer: str
    revocation_endpoint: str
    token_endpoint: str


class IntrospectTokenResponse(TypedDict, total=False):
    """RFC 7662 section 2.2. An inactive token has `active` and nothing else."""

    active: bool
    brand: str
    client_id: str
    exp: int
    """Seconds since 1970."""
    scope: str
    sub: str
    token_type: str


class _IssueTokenResponseRequired(TypedDict):
    expires_in: int
    """Seconds."""


class IssueTokenResponse(_IssueTokenResponseRequired, total=False):
    """RFC 6749 section 5.1."""

    access_token: str
    refresh_token: str
    """Absent for client_credentials."""
    scope: str
    """Space separated; what was granted."""
    token_type: str
    """Always "Bearer"."""


class ListConnectedAppsResponse(TypedDict):
    data: list[ConnectedApp]


class _ListOauthClientsResponseRequired(TypedDict):
    clients: list[OauthClient]


class ListOauthClientsResponse(_ListOauthClientsResponseRequired, total=False):
    next_page_token: str


class _OauthClientRequired(TypedDict):
    allowed_origins: list[str]
    """Web origins whose pages may call with the client's tokens, as browsers write them."""
    allowed_scopes: list[str]
    baa_signed: bool
    """A business associate agreement is signed: scopes of protected health data may be asked
    for.
    """
    enabled: bool
    is_first_party: bool
    redirect_uris: list[str]


class OauthClient(_OauthClientRequired, total=False):
    """A program that may ask for tokens."""

    brand_id: str
    client_id: str
    """cli_…"""
    client_name: str
    client_type: ClientType
    client_uri: str
    created_at: str
    logo_uri: str
    updated_at: str

_GET_SERVER_METADATA = Operation(
    name="IdentityService/GetServerMetadata",
    verb="GET",
    path="/.well-known/oauth-authorization-server",
    public=True,
)

_ISSUE_TOKEN = Operation(
    name="IdentityService/IssueToken",
    verb="POST",
    path="/v1/oauth/token",
    body=Body("form"),
    public=True,
)

_INTROSPECT_TOKEN = Operation(
    name="IdentityService/IntrospectToken",
    verb="POST",
    path="/v1/oauth/introspect",
    body=Body("form"),
    public=True,
)

_REVOKE_TOKEN = Operation(
    name="IdentityService/RevokeToken",
    verb="POST",
    path="/v1/oauth/revoke",
    body=Body("form"),
    public=True,
)

_GET_ME = Operation(
    name="IdentityService/GetMe",
    verb="GET",
    path="/v1/users/me",
)

_LIST_CONNECTED_APPS = Operation(
    name="IdentityService/ListConnectedApps",
    verb="GET",
    path="/v1/users/me/connected-apps",
)

_DISCONNECT_APP = Operation(
    name="IdentityService/DisconnectApp",
    verb="DELETE",
    path="/v1/users/me/connected-apps/{client_id}",
    keyed=True,
)

_CREATE_OAUTH_CLIENT = Operation(
    name="IdentityService/CreateOauthClient",
    verb="POST",
    path="/v1/admin/oauth-clients",
    body=Body("json"),
)

_LIST_OAUTH_CLIENTS = Operation(
    name="IdentityService/ListOauthClients",
    verb="GET",
    path="/v1/admin/oauth-clients",
    pages=Pages(by="token", items="clients"),
)


class Identity:
    """Who people and programs are, and what they may do: OAuth 2.1 with opaque tokens."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def get_server_metadata(
        self,
        *,
        options: CallOptions | None = None,
    ) -> GetServerMetadataResponse:
        """Returns the authorization server's metadata (RFC 8414)."""
        request: dict[str, Any] = {}
        return cast(GetServerMetadataResponse, self._caller.call(_GET_SERVER_METADATA, request, options))

    def issue_token(
        self,
        *,
        brand_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        code_verifier: str | None = None,
        grant_type: str | None = None,
        redirect_uri: str | None = None,
        refresh_token: str | None = None,
        scope: str | None = None,
        options: CallOptions | None = None,
    ) -> IssueTokenResponse:
        """Exchanges a grant for tokens (RFC 6749 section 3.2): authorization_code with PKCE,
        refresh_token with rotation, client_credentials.

        Fails with invalid_request, invalid_client, invalid_grant, unauthorized_client,
        unsupported_grant_type and invalid_scope.

        Args:
        - brand_id: The brand a machine client wants its token for; needed where it may
        act in several.
        - scope: Space separated.
        """
        request: dict[str, Any] = {
            "brand_id": brand_id,
            "client_id": client_id,
            "client_secret": client_secret,
            "code": code,
            "code_verifier": code_verifier,
            "grant_type": grant_type,
            "redirect_uri": redirect_uri,
            "refresh_token": refresh_token,
            "scope": scope,
        }
        return cast(IssueTokenResponse, self._caller.call(_ISSUE_TOKEN, request, options))

    def introspect_token(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        token: str | None = None,
        token_type_hint: str | None = None,
        options: CallOptions | None = None,
    ) -> IntrospectTokenResponse:
        """Tells a client whether a token is active and what it stands for (RFC 7662).

        Fails with invalid_client.
        """
        request: dict[str, Any] = {
            "client_id": client_id,
            "client_secret": client_secret,
            "token": token,
            "token_type_hint": token_type_hint,
        }
        return cast(IntrospectTokenResponse, self._caller.call(_INTROSPECT_TOKEN, request, options))

    def revoke_token(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        token: str | None = None,
        token_type_hint: str | None = None,
        options: CallOptions | None = None,
    ) -> None:
        """Ends a token and all that came from the same grant (RFC 7009).

        An unknown token is success. Fails with invalid_client.
        """
        request: dict[str, Any] = {
            "client_id": client_id,
            "client_secret": client_secret,
            "token": token,
            "token_type_hint": token_type_hint,
        }
        self._caller.call(_REVOKE_TOKEN, request, options)

    def get_me(
        self,
        *,
        options: CallOptions | None = None,
    ) -> GetMeResponse:
        """Returns the caller's own account."""
        request: dict[str, Any] = {}
        return cast(GetMeResponse, self._caller.call(_GET_ME, request, options))

    def list_connected_apps(
        self,
        *,
        options: CallOptions | None = None,
    ) -> ListConnectedAppsResponse:
        """Lists the apps the caller has connected."""
        request: dict[str, Any] = {}
        return cast(ListConnectedAppsResponse, self._caller.call(_LIST_CONNECTED_APPS, request, options))

    def disconnect_app(
        self,
        *,
        client_id: str,
        options: CallOptions | None = None,
    ) -> None:
        """Disconnects an app: its grant and every token of it end at once.

        Fails with GRANT_NOT_FOUND when no active grant stands.
        """
        request: dict[str, Any] = {
            "client_id": client_id,
        }
        self._caller.call(_DISCONNECT_APP, request, options)

    def create_oauth_client(
        self,
        *,
        allowed_origins: list[str] | None = None,
        allowed_scopes: list[str],
        baa_signed: bool | None = None,
        client_name: str,
        client_type: ClientType | None = None,
        client_uri: str | None = None,
        logo_uri: str | None = None,
        redirect_uris: list[str],
        options: CallOptions | None = None,
    ) -> CreateOauthClientResponse:
        """Registers an OAuth client.

        The secret of a confidential client is in this answer and never again. Fails with
        REDIRECT_URI_INVALID, ORIGIN_INVALID and SCOPE_UNKNOWN.

        Args:
        - allowed_origins: Web origins whose pages may call with the client's tokens:
        https, or http on a loopback address, without a path. Pages of other origins see
        no answers, and change nothing.
        - baa_signed: The app's operator has signed a business associate agreement.
        Without one the app is refused every scope that reaches protected health data.
        - client_type: Absent: confidential.
        - redirect_uris: Compared byte for byte.
        """
        request: dict[str, Any] = {
            "allowed_origins": allowed_origins,
            "allowed_scopes": allowed_scopes,
            "baa_signed": baa_signed,
            "client_name": client_name,
            "client_type": client_type,
            "client_uri": client_uri,
            "logo_uri": logo_uri,
            "redirect_uris": redirect_uris,
        }
        return cast(CreateOauthClientResponse, self._caller.call(_CREATE_OAUTH_CLIENT, request, options))

    def list_oauth_clients(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> ListOauthClientsResponse:
        """Lists the brand's OAuth clients, newest first.

        Args:
        - page_size: 1 to 100, 20 if absent.
        """
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
        }
        return cast(ListOauthClientsResponse, self._caller.call(_LIST_OAUTH_CLIENTS, request, options))

    def iterate_oauth_clients(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> Iterator[OauthClient]:
        """The items of every page of `list_oauth_clients`, asked for as they are needed."""
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
        }
        return self._caller.items(_LIST_OAUTH_CLIENTS, request, options)


class AsyncIdentity:
    """Who people and programs are, and what they may do: OAuth 2.1 with opaque tokens."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    async def get_server_metadata(
        self,
        *,
        options: CallOptions | None = None,
    ) -> GetServerMetadataResponse:
        """Returns the authorization server's metadata (RFC 8414)."""
        request: dict[str, Any] = {}
        return cast(GetServerMetadataResponse, await self._caller.call(_GET_SERVER_METADATA, request, options))

    async def issue_token(
        self,
        *,
        brand_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        code_verifier: str | None = None,
        grant_type: str | None = None,
        redirect_uri: str | None = None,
        refresh_token: str | None = None,
        scope: str | None = None,
        options: CallOptions | None = None,
    ) -> IssueTokenResponse:
        """Exchanges a grant for tokens (RFC 6749 section 3.2): authorization_code with PKCE,
        refresh_token with rotation, client_credentials.

        Fails with invalid_request, invalid_client, invalid_grant, unauthorized_client,
        unsupported_grant_type and invalid_scope.

        Args:
        - brand_id: The brand a machine client wants its token for; needed where it may
        act in several.
        - scope: Space separated.
        """
        request: dict[str, Any] = {
            "brand_id": brand_id,
            "client_id": client_id,
            "client_secret": client_secret,
            "code": code,
            "code_verifier": code_verifier,
            "grant_type": grant_type,
            "redirect_uri": redirect_uri,
            "refresh_token": refresh_token,
            "scope": scope,
        }
        return cast(IssueTokenResponse, await self._caller.call(_ISSUE_TOKEN, request, options))

    async def introspect_token(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        token: str | None = None,
        token_type_hint: str | None = None,
        options: CallOptions | None = None,
    ) -> IntrospectTokenResponse:
        """Tells a client whether a token is active and what it stands for (RFC 7662).

        Fails with invalid_client.
        """
        request: dict[str, Any] = {
            "client_id": client_id,
            "client_secret": client_secret,
            "token": token,
            "token_type_hint": token_type_hint,
        }
        return cast(IntrospectTokenResponse, await self._caller.call(_INTROSPECT_TOKEN, request, options))

    async def revoke_token(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        token: str | None = None,
        token_type_hint: str | None = None,
        options: CallOptions | None = None,
    ) -> None:
        """Ends a token and all that came from the same grant (RFC 7009).

        An unknown token is success. Fails with invalid_client.
        """
        request: dict[str, Any] = {
            "client_id": client_id,
            "client_secret": client_secret,
            "token": token,
            "token_type_hint": token_type_hint,
        }
        await self._caller.call(_REVOKE_TOKEN, request, options)

    async def get_me(
        self,
        *,
        options: CallOptions | None = None,
    ) -> GetMeResponse:
        """Returns the caller's own account."""
        request: dict[str, Any] = {}
        return cast(GetMeResponse, await self._caller.call(_GET_ME, request, options))

    async def list_connected_apps(
        self,
        *,
        options: CallOptions | None = None,
    ) -> ListConnectedAppsResponse:
        """Lists the apps the caller has connected."""
        request: dict[str, Any] = {}
        return cast(ListConnectedAppsResponse, await self._caller.call(_LIST_CONNECTED_APPS, request, options))

    async def disconnect_app(
        self,
        *,
        client_id: str,
        options: CallOptions | None = None,
    ) -> None:
        """Disconnects an app: its grant and every token of it end at once.

        Fails with GRANT_NOT_FOUND when no active grant stands.
        """
        request: dict[str, Any] = {
            "client_id": client_id,
        }
        await self._caller.call(_DISCONNECT_APP, request, options)

    async def create_oauth_client(
        self,
        *,
        allowed_origins: list[str] | None = None,
        allowed_scopes: list[str],
        baa_signed: bool | None = None,
        client_name: str,
        client_type: ClientType | None = None,
        client_uri: str | None = None,
        logo_uri: str | None = None,
        redirect_uris: list[str],
        options: CallOptions | None = None,
    ) -> CreateOauthClientResponse:
        """Registers an OAuth client.

        The secret of a confidential client is in this answer and never again. Fails with
        REDIRECT_URI_INVALID, ORIGIN_INVALID and SCOPE_UNKNOWN.

        Args:
        - allowed_origins: Web origins whose pages may call with the client's tokens:
        https, or http on a loopback address, without a path. Pages of other origins see
        no answers, and change nothing.
        - baa_signed: The app's operator has signed a business associate agreement.
        Without one the app is refused every scope that reaches protected health data.
        - client_type: Absent: confidential.
        - redirect_uris: Compared byte for byte.
        """
        request: dict[str, Any] = {
            "allowed_origins": allowed_origins,
            "allowed_scopes": allowed_scopes,
            "baa_signed": baa_signed,
            "client_name": client_name,
            "client_type": client_type,
            "client_uri": client_uri,
            "logo_uri": logo_uri,
            "redirect_uris": redirect_uris,
        }
        return cast(CreateOauthClientResponse, await self._caller.call(_CREATE_OAUTH_CLIENT, request, options))

    async def list_oauth_clients(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> ListOauthClientsResponse:
        """Lists the brand's OAuth clients, newest first.

        Args:
        - page_size: 1 to 100, 20 if absent.
        """
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
        }
        return cast(ListOauthClientsResponse, await self._caller.call(_LIST_OAUTH_CLIENTS, request, options))

    def iterate_oauth_clients(
        self,
        *,
        page_size: int | None = None,
        page_token: str | None = None,
        options: CallOptions | None = None,
    ) -> AsyncIterator[OauthClient]:
        """The items of every page of `list_oauth_clients`, asked for as they are needed."""
        request: dict[str, Any] = {
            "page_size": page_size,
            "page_token": page_token,
        }
        return self._caller.items(_LIST_OAUTH_CLIENTS, request, options)

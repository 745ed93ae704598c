//! The methods of the contract, one function each: read, decide, write, answer.

mod apps;
mod clients;
mod introspect;
mod issue;
mod issue_code;
mod issue_machine;
mod issue_refresh;
mod me;
mod metadata;
mod origins;
mod revoke;

use identity_contract::v1::{
    self as pb,
    identity_service_server::{IdentityService, IdentityServiceServer},
};
use kit::{Platform, Reply};
use tonic::{Request, async_trait};

use crate::{revocation::Revocation, store::Lookup};

pub use introspect::resolve;

pub fn server(platform: &Platform, lookup: Lookup) -> IdentityServiceServer<impl IdentityService> {
    IdentityServiceServer::new(Rpc {
        lookup,
        revocation: Revocation::new(platform),
        platform: platform.clone(),
    })
}

struct Rpc {
    platform: Platform,
    lookup: Lookup,
    revocation: Revocation,
}

#[async_trait]
impl IdentityService for Rpc {
    async fn get_server_metadata(
        &self,
        request: Request<pb::GetServerMetadataRequest>,
    ) -> Reply<pb::GetServerMetadataResponse> {
        metadata::get(self, request)
    }

    async fn issue_token(
        &self,
        request: Request<pb::IssueTokenRequest>,
    ) -> Reply<pb::IssueTokenResponse> {
        issue::issue(self, request).await
    }

    async fn introspect_token(
        &self,
        request: Request<pb::IntrospectTokenRequest>,
    ) -> Reply<pb::IntrospectTokenResponse> {
        introspect::introspect(self, request).await
    }

    async fn revoke_token(&self, request: Request<pb::RevokeTokenRequest>) -> Reply<()> {
        revoke::revoke(self, request).await
    }

    async fn resolve_token(
        &self,
        request: Request<pb::ResolveTokenRequest>,
    ) -> Reply<pb::ResolveTokenResponse> {
        introspect::resolve_for_service(self, request).await
    }

    async fn check_origin(
        &self,
        request: Request<pb::CheckOriginRequest>,
    ) -> Reply<pb::CheckOriginResponse> {
        origins::check(self, request).await
    }

    async fn get_me(&self, request: Request<pb::GetMeRequest>) -> Reply<pb::GetMeResponse> {
        me::get(self, request).await
    }

    async fn list_connected_apps(
        &self,
        request: Request<pb::ListConnectedAppsRequest>,
    ) -> Reply<pb::ListConnectedAppsResponse> {
        apps::list(self, request).await
    }

    async fn disconnect_app(&self, request: Request<pb::DisconnectAppRequest>) -> Reply<()> {
        apps::disconnect(self, request).await
    }

    async fn create_oauth_client(
        &self,
        request: Request<pb::CreateOauthClientRequest>,
    ) -> Reply<pb::CreateOauthClientResponse> {
        clients::create(self, request).await
    }

    async fn list_oauth_clients(
        &self,
        request: Request<pb::ListOauthClientsRequest>,
    ) -> Reply<pb::ListOauthClientsResponse> {
        clients::list(self, request).await
    }
}

//! Envoy as the benchmark runs it: one worker, no access log, no tracing, windows as ours.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::contract::SERVICE;

/// Where `deploy/dev/install.sh bench` puts it, below the repository.
const PROGRAM: &str = ".tools/venv/bin/envoy";

/// What every Envoy is started with.
pub const ARGUMENTS: [&str; 5] =
    ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"];

/// Whether a request is first asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorizer {
    None,
    /// The allow-all one that the upstream is as well.
    Upstream,
}

/// Envoy's program; it may not be there.
pub fn program(root: &Path) -> PathBuf {
    root.join(PROGRAM)
}

/// The configuration of an Envoy that listens at `listen`.
pub fn configuration(
    listen: SocketAddr,
    upstream: SocketAddr,
    descriptors: &Path,
    authorizer: Authorizer,
) -> String {
    let ext_authz = match authorizer {
        Authorizer::None => "",
        Authorizer::Upstream => EXT_AUTHZ,
    };
    TEMPLATE
        .replace("{ext_authz}", ext_authz)
        .replace("{listen_port}", &listen.port().to_string())
        .replace("{upstream_port}", &upstream.port().to_string())
        .replace("{descriptors}", &descriptors.display().to_string())
        .replace("{service}", SERVICE)
}

const EXT_AUTHZ: &str = r#"
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              transport_api_version: V3
              failure_mode_allow: false
              grpc_service: { envoy_grpc: { cluster_name: authorizer }, timeout: 1s }"#;

const TEMPLATE: &str = r#"
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: {listen_port} } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: edge
          codec_type: AUTO
          generate_request_id: false
          route_config: { virtual_hosts: [ { name: v, domains: ["*"], routes: [ { match: { prefix: "/" }, route: { cluster: upstream, timeout: 30s } } ] } ] }
          http_filters:{ext_authz}
          - name: envoy.filters.http.grpc_json_transcoder
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder
              proto_descriptor: "{descriptors}"
              services: ["{service}"]
              convert_grpc_status: true
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, suppress_envoy_headers: true }
  clusters:
  - name: upstream
    type: STATIC
    circuit_breakers: &room { thresholds: [ { max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 } ] }
    typed_extension_protocol_options: &http2
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 1024, initial_stream_window_size: 1048576, initial_connection_window_size: 8388608 } }
    load_assignment: { cluster_name: upstream, endpoints: &there [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {upstream_port} } } } } ] } ] }
  - name: authorizer
    type: STATIC
    circuit_breakers: *room
    typed_extension_protocol_options: *http2
    load_assignment: { cluster_name: authorizer, endpoints: *there }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_second_envoy_asks_an_authorizer_and_nothing_is_left_to_fill_in() {
        let text = |authorizer| {
            let (listen, upstream) = (([127, 0, 0, 1], 8080), ([127, 0, 0, 1], 50051));
            configuration(listen.into(), upstream.into(), Path::new("/x/bench.pb"), authorizer)
        };
        assert!(!text(Authorizer::None).contains("ext_authz"));
        assert!(text(Authorizer::Upstream).contains("failure_mode_allow: false"));
        for filled in ["port_value: 8080", "port_value: 50051", "\"/x/bench.pb\"", SERVICE] {
            assert!(text(Authorizer::None).contains(filled), "{filled}");
        }
    }
}

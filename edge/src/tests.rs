//! The gateway over real connections, before a fake of one service and a fake identity.

mod anything;
mod checkpoints;
mod clinical;
mod codings;
mod door;
mod errors;
mod hosts;
mod http_rules;
mod logs;
mod oauth;
mod own;
mod pages;
mod prefix;
mod probe;
mod protocols;
mod proxies;
mod rates;
mod smuggling;
mod sockets;
mod streams;
mod styles;
mod tls;
mod upstream;

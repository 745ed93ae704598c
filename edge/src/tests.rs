//! The gateway over real connections, before a fake of one service and a fake identity.

mod anything;
mod checkpoints;
mod clinical;
mod codings;
mod conditions;
mod cors;
mod door;
mod errors;
mod hosts;
mod http_rules;
mod logs;
mod multipart;
mod oauth;
mod own;
mod pages;
mod preferences;
mod prefix;
mod probe;
mod protocols;
mod proxies;
mod rates;
mod retries;
mod sockets;
mod streams;
mod tls;
mod upstream;

//! The gateway over real connections, before a fake of one service and a fake identity.

mod anything;
mod checkpoints;
mod clinical;
mod codings;
mod documents;
mod door;
mod errors;
mod http_rules;
mod linger;
mod logs;
mod oauth;
mod own;
mod pages;
mod probe;
mod protocols;
mod rates;
mod reflection;
mod sockets;
mod streams;
mod upstream;

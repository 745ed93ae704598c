//! The gateway over real connections, before a fake of one service and a fake identity.

mod anything;
mod checkpoints;
mod clinical;
mod codings;
mod compression;
mod departures;
mod door;
mod errors;
mod http_rules;
mod logs;
mod metadata;
mod oauth;
mod own;
mod pages;
mod preferences;
mod probe;
mod protocols;
mod rates;
mod retries;
mod sockets;
mod stated;
mod streams;
mod upstream;

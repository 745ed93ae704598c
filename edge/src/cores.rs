//! The gateway on every core: a thread each with a runtime, listener and upstream connections of
//! its own, so that a request is served where it was accepted and wakes nobody elsewhere.
//!
//! The kernel spreads connections over the listeners (`SO_REUSEPORT`). What must be one for all is
//! shared: what is near of tokens, the room for requests, the rate limits.

use std::{io, net::SocketAddr, num::NonZeroUsize, sync::Arc};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, runtime, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{Edge, Limits, Parts, layers, serve, tls::Tls};

/// Connections that wait to be accepted, for each listener.
const BACKLOG: i32 = 1024;

/// One address, listened to by several cores.
#[derive(Debug)]
pub struct Listeners(Vec<Socket>);

impl Listeners {
    /// Listens to an address for so many cores. Port 0 takes one that is free.
    ///
    /// # Errors
    ///
    /// Those of binding. An address that somebody else listens to is refused, even by the same
    /// means.
    pub fn bind(address: SocketAddr, cores: NonZeroUsize) -> io::Result<Self> {
        // Who binds with SO_REUSEPORT would share the address with another process unasked.
        let address = std::net::TcpListener::bind(address)?.local_addr()?;
        let listeners = (0..cores.get()).map(|_| listener(address));
        Ok(Self(listeners.collect::<io::Result<_>>()?))
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Those of asking the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.first().map(Socket::local_addr).transpose()?;
        address.and_then(|it| it.as_socket()).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Edge {
    /// Serves until `shutdown` on a thread for each listener, then lets requests in flight end, as
    /// [`Edge::serve`] does.
    ///
    /// # Errors
    ///
    /// Those of a runtime that cannot be made. A thread that panics ends the others.
    pub async fn serve_on_cores(
        self,
        listeners: Listeners,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let parts = self.parts.clone();
        let limits = parts.config.limits.share(listeners.0.len());
        let tls = self.begin(&shutdown);
        let mut cores = JoinSet::new();
        for listener in listeners.0 {
            let (parts, tls, shutdown) = (parts.own_core(), tls.clone(), shutdown.clone());
            cores.spawn_blocking(move || core(parts, limits, tls, listener, shutdown));
        }
        while let Some(ended) = cores.join_next().await {
            if !matches!(ended, Ok(Ok(()))) {
                shutdown.cancel();
            }
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

fn core(
    parts: Parts,
    limits: Limits,
    tls: Option<Tls>,
    listener: Socket,
    shutdown: CancellationToken,
) -> io::Result<()> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener.into())?;
        serve::serve(layers::stack(&Arc::new(parts)), limits, tls, listener, shutdown).await;
        Ok(())
    })
}

fn listener(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

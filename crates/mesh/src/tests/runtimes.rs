//! A mesh of its own for a thread with a runtime of its own.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
};

use http::{Request, Response};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use super::server::{Server, call, ok, request, until};
use crate::{App, Mesh, Retry};

/// Runs to the end on a thread with a runtime of its own.
fn elsewhere<F: Future<Output = ()>>(run: impl FnOnce() -> F + Send + 'static) {
    let thread = thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(run());
    });
    thread.join().unwrap();
}

/// Answers with the thread it runs on.
fn app() -> App {
    BoxCloneSyncService::new(tower::service_fn(async |_: Request<Body>| {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(thread::current().id());
        Ok::<_, Infallible>(response)
    }))
}

async fn thread_of(mesh: &Mesh) -> ThreadId {
    let peer = mesh.peer("local").unwrap();
    let answer = peer.call(|| request("/"), Retry::Never).await.unwrap();
    *answer.extensions().get::<ThreadId>().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_core_has_connections_of_its_own() {
    let server = Server::start().await;
    let mesh = Mesh::default();
    mesh.add_remote("clinical", &format!("http://{}", server.address).parse().unwrap()).unwrap();
    ok(&mesh.peer("clinical").unwrap()).await;
    for _ in 0..2 {
        let own = mesh.own_core();
        let called = tokio::task::spawn_blocking(|| {
            elsewhere(async move || ok(&own.peer("clinical").unwrap()).await);
        });
        called.await.unwrap();
    }
    ok(&mesh.peer("clinical").unwrap()).await;
    assert_eq!((server.connections(), server.requests()), (3, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_of_this_process_runs_where_it_was_added() {
    let mesh = Mesh::default();
    mesh.add_local("local", app());
    let own = mesh.own_core();
    let called = tokio::task::spawn_blocking(|| {
        elsewhere(async move || {
            assert_ne!(thread_of(&own).await, thread::current().id());
            assert_eq!(thread_of(&mesh).await, thread::current().id());
            // Another core's mesh leads to the same home.
            assert_ne!(thread_of(&own.own_core()).await, thread::current().id());
        });
    });
    called.await.unwrap();
}

/// Counts itself for as long as it lives.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn one(of: &Arc<AtomicUsize>) -> Self {
        of.fetch_add(1, Ordering::SeqCst);
        Self(of.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_call_on_the_other_runtime() {
    let alive = Arc::<AtomicUsize>::default();
    let (mesh, count) = (Mesh::default(), alive.clone());
    mesh.add_local(
        "local",
        BoxCloneSyncService::new(tower::service_fn(move |_: Request<Body>| {
            let alive = Alive::one(&count);
            async move {
                let _alive = alive;
                std::future::pending::<Result<Response<Body>, Infallible>>().await
            }
        })),
    );
    let peer = mesh.own_core().peer("local").unwrap();
    let caller = tokio::spawn(async move { call(&peer, "/").await.map(|_| ()) });
    until("the call to arrive", || alive.load(Ordering::SeqCst) == 1).await;
    caller.abort();
    until("the call to end", || alive.load(Ordering::SeqCst) == 0).await;
}

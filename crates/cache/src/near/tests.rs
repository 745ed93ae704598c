use std::future::Future;
use std::net::SocketAddr;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{advance, sleep};

use super::*;
use crate::{Cache, Lookup, suite};

const KEY: [u8; 32] = [7; 32];
const RECORD: Duration = Duration::from_millis(100);
const FENCE: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// One step of the readers and the revoker of a token.
#[derive(Clone, Debug)]
enum Step {
    /// A reader looks here, then takes a ticket and looks in the shared cache.
    Look(usize),
    /// A reader that missed reads the source of truth.
    Read(usize),
    /// A reader fills the shared cache with what it read.
    Fill(usize),
    /// A reader keeps what it found.
    Keep(usize),
    Fence,
    Commit,
    /// So many milliseconds pass.
    Wait(u64),
}

#[derive(Default)]
struct Reader {
    ticket: Option<Ticket>,
    missed: bool,
    value: Option<(u8, Instant)>,
}

struct World {
    cache: Cache,
    near: Near<u8>,
    key: [u8; 32],
    /// Lifetimes of a record and of a fence.
    times: [Duration; 2],
    readers: [Reader; 3],
    truth: u8,
    fenced: Option<Instant>,
}

impl World {
    fn new(cache: Cache, key: [u8; 32], times: [Duration; 2]) -> Self {
        let near = cache.near(100, times[0]);
        Self { cache, near, key, times, readers: Default::default(), truth: 0, fenced: None }
    }

    async fn play(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Look(reader) => self.look(reader).await,
                Step::Read(reader) => self.read(reader),
                Step::Fill(reader) => self.fill(reader).await,
                Step::Keep(reader) => self.keep(reader),
                Step::Fence => self.fence().await,
                Step::Commit => self.commit(),
                Step::Wait(milliseconds) => advance(Duration::from_millis(milliseconds)).await,
            }
        }
    }

    async fn look(&mut self, reader: usize) {
        if let Some(value) = self.near.get(&self.key) {
            assert_eq!(*value, self.truth, "an old value");
            return;
        }
        let ticket = self.near.ticket(&self.key);
        self.readers[reader] = match self.cache.get(&self.key).await {
            Ok(Lookup::Hit(record)) => {
                Reader { ticket, missed: false, value: Some((record[0], Instant::now())) }
            }
            Ok(Lookup::Miss) => Reader { ticket, missed: true, value: None },
            // On a busy machine Redis may not answer in time: such a reader keeps nothing.
            Ok(Lookup::Fenced) | Err(_) => Reader::default(),
        };
    }

    fn read(&mut self, reader: usize) {
        if self.readers[reader].missed {
            self.readers[reader].value = Some((self.truth, Instant::now()));
        }
    }

    async fn fill(&mut self, reader: usize) {
        let reader = &mut self.readers[reader];
        if let (true, Some((value, read_at))) = (reader.missed, reader.value)
            && read_at.elapsed() <= self.times[0]
        {
            reader.missed = false;
            let record = Bytes::copy_from_slice(&[value]);
            let _ = self.cache.fill(&self.key, record, self.times[0]).await;
        }
    }

    fn keep(&mut self, reader: usize) {
        let reader = &mut self.readers[reader];
        if let (Some(ticket), Some((value, _))) = (reader.ticket.take(), reader.value) {
            self.near.put(&ticket, Arc::new(value));
        }
    }

    async fn fence(&mut self) {
        if self.fenced.is_none() && self.cache.fence(&[self.key], self.times[1]).await.is_ok() {
            self.fenced = Some(Instant::now());
        }
    }

    /// A transaction that took longer than half a record's lifetime rolls back.
    fn commit(&mut self) {
        if self.fenced.take().is_some_and(|it| it.elapsed() <= self.times[0] / 2) {
            self.truth = self.truth.wrapping_add(1);
        }
    }
}

fn steps(waits: u32) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3usize).prop_map(Step::Look),
        3 => (0..3usize).prop_map(Step::Read),
        2 => (0..3usize).prop_map(Step::Fill),
        3 => (0..3usize).prop_map(Step::Keep),
        1 => Just(Step::Fence),
        1 => Just(Step::Commit),
        waits => (0..60u64).prop_map(Step::Wait),
    ];
    vec(step, 1..80)
}

fn with_paused_clock<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(run)
}

proptest! {
    #[test]
    fn nothing_found_here_was_revoked_before(steps in steps(2)) {
        with_paused_clock(async {
            World::new(Cache::embedded(), KEY, [RECORD, FENCE]).play(&steps).await;
        });
    }
}

#[test]
fn nothing_found_here_was_revoked_before_by_this_process_in_either_backend() {
    static CASES: AtomicU64 = AtomicU64::new(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let backends = suite::backends();
    // The link stands as long as somebody listens.
    let _near: Vec<_> = backends.iter().map(|cache| cache.near::<u8>(1, LONG)).collect();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(100));
    let played = runner.run(&steps(0), |steps| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&CASES.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        for cache in &backends {
            runtime.block_on(async {
                // No time passes to speak of, as the clock of Redis cannot be moved.
                let mut world = World::new(cache.clone(), key, [LONG, 2 * LONG]);
                eventually("the link stands", || world.near.ticket(&key).is_some()).await;
                world.play(&steps).await;
            });
        }
        Ok(())
    });
    played.unwrap();
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Keeps a value as soon as that is possible.
async fn keep(near: &Near<u8>, value: u8) {
    keep_at(near, &KEY, value).await;
}

async fn keep_at(near: &Near<u8>, key: &[u8; 32], value: u8) {
    eventually("a value is kept", || {
        if let Some(ticket) = near.ticket(key) {
            near.put(&ticket, Arc::new(value));
        }
        near.get(key).is_some()
    })
    .await;
}

#[test]
fn a_value_ends_and_a_full_cache_forgets_the_oldest() {
    with_paused_clock(async {
        let near = Cache::embedded().near::<u8>(SHARDS, RECORD);
        let mut keys = [KEY, KEY];
        keys[1][31] = 8;
        for key in &keys {
            near.put(&near.ticket(key).unwrap(), Arc::new(1));
        }
        assert_eq!(keys.map(|key| near.get(&key).is_some()), [false, true]);
        advance(RECORD).await;
        assert_eq!(near.get(&keys[1]), None);
    });
}

#[tokio::test]
async fn an_invalidation_voids_the_tickets_of_its_key_alone() {
    let cache = Cache::embedded();
    let (near, elsewhere) = (cache.near::<u8>(100, LONG), cache.with_namespace("other"));
    let tickets = [near.ticket(&KEY).unwrap(), near.ticket(&[8; 32]).unwrap()];
    elsewhere.fence(&[KEY, [8; 32]], LONG).await.unwrap();
    cache.clone().fence(&[KEY], LONG).await.unwrap();
    tickets.iter().for_each(|it| near.put(it, Arc::new(1)));
    assert_eq!(near.get(&KEY), None);
    assert_eq!(near.get(&[8; 32]).as_deref(), Some(&1));
}

#[tokio::test]
async fn a_fence_is_heard_everywhere_and_at_once_where_it_was_set() {
    for cache in suite::backends() {
        let [one, other] = [(); 2].map(|()| cache.near::<u8>(100, LONG));
        keep(&one, 1).await;
        keep(&other, 1).await;
        cache.fence(&[KEY], LONG).await.unwrap();
        assert_eq!((one.get(&KEY), other.get(&KEY)), (None, None));
    }
}

/// A way to Redis that can be cut.
struct Proxy {
    url: String,
    state: watch::Sender<Line>,
}

#[derive(Clone, Copy, PartialEq)]
enum Line {
    Good,
    /// Connections end, and no new one is let through.
    Cut,
    /// Connections stand, and nothing comes through.
    Silent,
}

impl Proxy {
    async fn to(redis: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let state = watch::Sender::new(Line::Good);
        let told = state.subscribe();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, redis, told.clone()));
            }
        });
        Self { url, state }
    }
}

async fn pass(mut stream: TcpStream, redis: SocketAddr, mut line: watch::Receiver<Line>) {
    if *line.borrow() != Line::Good {
        return;
    }
    let mut redis = TcpStream::connect(redis).await.unwrap();
    let changed = tokio::select! {
        _ = copy_bidirectional(&mut stream, &mut redis) => return,
        changed = line.wait_for(|it| *it != Line::Good) => changed.map(|it| *it),
    };
    if changed.is_ok_and(|it| it == Line::Silent) {
        let _ = line.wait_for(|it| *it != Line::Silent).await;
    }
}

/// The same Redis as a process sees it that reaches it over a proxy, and as another does.
async fn two_processes() -> Option<(Proxy, Cache, Cache)> {
    let direct = suite::redis()?;
    let url = std::env::var("LOOP_TEST_REDIS_URL").unwrap();
    let address = url.trim_start_matches("redis://").split('/').next().unwrap();
    let address = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let proxy = Proxy::to(address).await;
    let behind = Cache::connect(&proxy.url).unwrap().with_namespace(&direct.namespace);
    Some((proxy, behind, direct))
}

#[tokio::test]
async fn a_fence_of_another_process_is_heard() {
    let Some((_proxy, behind, direct)) = two_processes().await else { return };
    let near = behind.near::<u8>(100, LONG);
    keep(&near, 1).await;
    keep_at(&near, &[9; 32], 1).await;
    direct.with_namespace("other").fence(&[KEY], LONG).await.unwrap();
    direct.fence(&[[9; 32]], LONG).await.unwrap();
    eventually("the fence is heard", || near.get(&[9; 32]).is_none()).await;
    assert!(near.get(&KEY).is_some());
    let ticket = near.ticket(&KEY).unwrap();
    direct.fence(&[KEY], LONG).await.unwrap();
    eventually("the fence is heard", || near.get(&KEY).is_none()).await;
    near.put(&ticket, Arc::new(1));
    assert_eq!(near.get(&KEY), None);
}

#[tokio::test]
async fn a_lost_link_empties_the_cache_and_shuts_it_until_there_is_another() {
    let Some((proxy, behind, direct)) = two_processes().await else { return };
    let near = behind.near::<u8>(100, LONG);
    keep(&near, 1).await;
    let ticket = near.ticket(&KEY).unwrap();
    proxy.state.send_replace(Line::Cut);
    eventually("the loss is noticed", || near.get(&KEY).is_none()).await;
    direct.fence(&[KEY], LONG).await.unwrap();
    near.put(&ticket, Arc::new(1));
    assert!(near.ticket(&KEY).is_none());
    proxy.state.send_replace(Line::Good);
    eventually("the link stands again", || near.ticket(&KEY).is_some()).await;
    assert_eq!(near.get(&KEY), None);
    keep(&near, 2).await;
    direct.fence(&[KEY], 2 * LONG).await.unwrap();
    eventually("the fence is heard", || near.get(&KEY).is_none()).await;
}

#[tokio::test]
async fn a_link_that_is_silently_dead_shuts_the_cache_within_half_a_second() {
    let Some((proxy, behind, direct)) = two_processes().await else { return };
    let near = behind.near::<u8>(100, LONG);
    keep(&near, 1).await;
    proxy.state.send_replace(Line::Silent);
    let silent_since = Instant::now();
    direct.fence(&[KEY], LONG).await.unwrap();
    eventually("the loss is noticed", || near.get(&KEY).is_none()).await;
    // Half a second, and some for a busy machine to look.
    let noticed_after = silent_since.elapsed();
    assert!(noticed_after < Duration::from_millis(650), "{noticed_after:?}");
    assert!(near.ticket(&KEY).is_none());
    proxy.state.send_replace(Line::Good);
    eventually("the link stands again", || near.ticket(&KEY).is_some()).await;
    assert_eq!(near.get(&KEY), None);
}

#[test]
fn a_link_whose_runtime_ended_is_run_by_the_next() {
    let Some(cache) = suite::redis() else { return };
    let near = cache.near::<u8>(100, LONG);
    for value in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(keep(&near, value));
    }
}

//! All engines of a test run at once.

use std::thread::{self, ScopedJoinHandle};

use crate::{Moto, Nats, Postgres, Redis, Result};

/// PostgreSQL, Redis, NATS and moto for one test run; they stop when dropped.
pub struct Engines {
    postgres: Postgres,
    redis: Redis,
    nats: Nats,
    moto: Moto,
}

impl Engines {
    /// Starts all four side by side, which takes as long as the slowest of them, moto.
    ///
    /// The first error wins; what has started by then is stopped.
    pub fn for_tests() -> Result<Self> {
        thread::scope(|scope| {
            let postgres = scope.spawn(Postgres::start_temporary);
            let redis = scope.spawn(Redis::start_temporary);
            let nats = scope.spawn(|| Nats::start_temporary(true));
            let moto = scope.spawn(Moto::start_temporary);
            let (postgres, redis, nats, moto) =
                (result(postgres), result(redis), result(nats), result(moto));
            Ok(Self { postgres: postgres?, redis: redis?, nats: nats?, moto: moto? })
        })
    }

    /// The environment variables by which tests find the engines.
    ///
    /// The database URL is the superuser's, for the database `postgres`: a test makes its own.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("LOOP_TEST_DATABASE_URL", self.postgres.url("postgres")),
            ("LOOP_TEST_REDIS_URL", self.redis.url()),
            ("LOOP_TEST_NATS_URL", self.nats.url()),
            ("LOOP_TEST_AWS_ENDPOINT", self.moto.endpoint()),
        ]
    }
}

fn result<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

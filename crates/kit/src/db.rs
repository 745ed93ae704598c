//! A service's way to its schema: pools by role, and transactions that see one brand.

use std::{fmt, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{Brand, Call, Clock, PlatformKey, Result};

/// A service's database: its own schema, through its own role.
#[derive(Clone, Debug)]
pub struct Db {
    app: PgPool,
    drain: PgPool,
    roles: Roles,
    clock: Clock,
    wake: Wake,
}

/// Tells the relay that a commit left something in the outbox. A hint: whatever it misses, the
/// relay's next look finds.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    pub(crate) fn wake(&self) {
        (self.0)();
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self::new(|| {})
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

/// How to connect as the roles of one schema. A role's password is derived from the platform key,
/// so a process needs no more than the address and the key.
#[derive(Clone, Debug)]
pub struct Roles {
    address: PgConnectOptions,
    key: PlatformKey,
    schema: &'static str,
}

impl Roles {
    pub fn new(address: PgConnectOptions, key: PlatformKey, schema: &'static str) -> Self {
        Self { address, key, schema }
    }

    pub fn schema(&self) -> &'static str {
        self.schema
    }

    /// Options of `{schema}_{role}`, with the schema as search path.
    pub fn options(&self, role: &str) -> PgConnectOptions {
        let role = format!("{}_{role}", self.schema);
        self.address
            .clone()
            .username(&role)
            .password(&self.key.role_password(&role))
            .application_name(&role)
            .options([
                ("search_path", self.schema),
                ("statement_timeout", "10s"),
                ("idle_in_transaction_session_timeout", "30s"),
                ("lock_timeout", "5s"),
            ])
    }

    /// A pool of one role that connects when first used.
    pub fn pool(&self, role: &str, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(self.options(role))
    }
}

impl Db {
    pub fn new(roles: Roles, connections: u32, clock: Clock, wake: Wake) -> Self {
        let (app, drain) = (roles.pool("app", connections), roles.pool("drain", 1));
        Self { app, drain, roles, clock, wake }
    }

    pub(crate) fn wake(&self) -> &Wake {
        &self.wake
    }

    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Reads within the caller's brand. Postgres refuses writes in it.
    pub async fn read<T>(&self, call: &Call<T>) -> Result<Reader> {
        self.read_brand(call.brand()).await
    }

    pub async fn read_brand(&self, brand: &Brand) -> Result<Reader> {
        Ok(Reader { inner: self.open(brand, "BEGIN READ ONLY").await?, brand: brand.clone() })
    }

    /// Connections of the role that sees the bookkeeping of delivery over all brands.
    pub(crate) fn drain(&self) -> &PgPool {
        &self.drain
    }

    /// Opens a transaction and sets its brand in one round trip.
    pub(crate) async fn open(
        &self,
        brand: &Brand,
        begin: &str,
    ) -> Result<Transaction<'static, Postgres>> {
        // `Brand` holds no character that could end the literal.
        let statement = format!("{begin}; SELECT set_config('app.brand_id', '{brand}', true)");
        Ok(self.app.begin_with(AssertSqlSafe(statement)).await?)
    }
}

/// A read transaction within one brand.
#[derive(Debug)]
pub struct Reader {
    inner: Transaction<'static, Postgres>,
    brand: Brand,
}

impl Reader {
    pub fn brand(&self) -> &str {
        self.brand.as_str()
    }

    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

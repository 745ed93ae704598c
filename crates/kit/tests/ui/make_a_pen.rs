//! Nobody makes a pen but the record.

use std::marker::PhantomData;

use kit::{Brand, Pen};
use sqlx::PgConnection;

fn forge<'a>(conn: &'a mut PgConnection, brand: &'a Brand) -> Pen<'a> {
    Pen { conn, brand, sealed: PhantomData }
}

fn main() {}

//! The contracts as the platform sees them: a typed, validated view over the descriptors.
//!
//! What a contract leaves out is a fault that names the file, the line, the method and the mend.
//! The generator refuses to write code while there is one; the process refuses to start.

mod descriptors;
mod event;
mod fault;
mod field;
mod metadata;
mod method;
mod options;

use prost_reflect::{DescriptorPool, ServiceDescriptor};

pub use descriptors::merge;
pub use event::Event;
pub use fault::{Fault, Faults};
pub use field::{FieldRules, Number, Phi, decimal, phi, rules};
pub use metadata::Metadata;
pub use method::{Audit, Caller, Http, Idempotency, Method};
use options::Options;

/// Every service, method and event of a set of contracts.
#[derive(Clone, Debug)]
pub struct Registry {
    pool: DescriptorPool,
    services: Vec<Service>,
    methods: Vec<Method>,
    events: Vec<Event>,
}

/// A service, as its `service` option names it.
#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    /// Empty where the service owns no schema.
    pub schema: String,
    pub display_name: String,
    /// Paths of HTML pages, passed through by the edge.
    pub pages: Vec<String>,
    pub descriptor: ServiceDescriptor,
}

impl Registry {
    /// Reads serialized descriptor sets, as contract crates carry them.
    pub fn load(sets: &[&[u8]]) -> Result<Self, Faults> {
        let pool = merge(sets).map_err(|cause| Faults::of(Fault::unreadable(&cause)))?;
        Self::new(pool)
    }

    /// Reads a pool and checks it whole, so that all faults are told at once.
    pub fn new(pool: DescriptorPool) -> Result<Self, Faults> {
        let options = Options::of(&pool).map_err(Faults::of)?;
        let mut faults = Vec::new();
        let mut services = Vec::new();
        let mut methods = Vec::new();
        for descriptor in pool.services().filter(|it| ours(it.package_name())) {
            match options.service(&descriptor) {
                Ok(service) => {
                    for method in descriptor.methods() {
                        match Method::read(&options, &service, &method) {
                            Ok(method) => methods.push(method),
                            Err(found) => faults.extend(found),
                        }
                    }
                    services.push(service);
                }
                Err(fault) => faults.push(fault),
            }
        }
        let events = event::read_all(&options, &pool, &services, &mut faults);
        for method in &methods {
            method.check_emits(&events, &mut faults);
        }
        field::check_all(&options, &pool, &mut faults);
        if faults.is_empty() {
            Ok(Self { pool, services, methods, events })
        } else {
            Err(Faults(faults))
        }
    }

    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    pub fn services(&self) -> &[Service] {
        &self.services
    }

    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The method of a gRPC path.
    pub fn method(&self, path: &str) -> Option<&Method> {
        self.methods.iter().find(|it| it.path == path)
    }
}

/// Our contracts; vendored packages and the options themselves are not checked.
pub(crate) fn ours(package: &str) -> bool {
    package.starts_with("loop.") && !package.starts_with("loop.options.")
}

#[cfg(test)]
mod tests;

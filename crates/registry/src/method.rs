//! One method and everything its options say.

use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, Kind, MethodDescriptor, ReflectMessage as _,
};

use crate::{
    Event, Fault, Metadata, Service,
    options::{Options, enum_name, flag, text, texts, unsigned},
};

#[derive(Clone, Debug)]
pub struct Method {
    /// `/loop.clinical.v1.ClinicalService/GetBiomarker`.
    pub path: String,
    /// The service's name: `clinical`.
    pub service: String,
    pub scopes: Vec<String>,
    pub callers: Vec<Caller>,
    pub audit: Audit,
    pub emits: Vec<String>,
    pub idempotency: Idempotency,
    /// The constant's name: `READ`, `WRITE`, …
    pub rate: String,
    pub http: Http,
    pub metadata: Metadata,
    /// True when the method has a `google.api.http` rule, and so is public over REST.
    pub has_route: bool,
    pub descriptor: MethodDescriptor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    User,
    Service,
    Staff,
    Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audit {
    Write(String),
    Read(String),
    /// With the reason.
    None(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    None,
    Accepted { retention_hours: u32 },
    Required { retention_hours: u32 },
}

/// How the method travels over HTTP where the defaults do not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Http {
    pub form: bool,
    pub oauth_errors: bool,
    pub multipart: bool,
    /// 0: the default.
    pub success_status: u32,
    /// In bytes. 0: the limit of all methods.
    pub largest_body: u32,
}

impl Method {
    pub(crate) fn read(
        options: &Options,
        service: &Service,
        descriptor: &MethodDescriptor,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fault = |problem: &str, mend: &str| {
            faults.push(Fault::new(
                &descriptor.parent_file(),
                descriptor.path(),
                descriptor.full_name(),
                problem,
                mend,
            ));
        };
        let access = options.method(descriptor, &options.access);
        let scopes = access.as_ref().map(|it| texts(it, "scopes")).unwrap_or_default();
        let callers = access.as_ref().map(callers).unwrap_or_default();
        if callers.is_empty() {
            fault("has no access option with callers", ACCESS);
        } else if scopes.is_empty() && callers != [Caller::Public] {
            fault("names no scope", ACCESS);
        }
        let audit = options.method(descriptor, &options.audit).and_then(|it| audit(&it));
        if audit.is_none() {
            fault("has no audit option", AUDIT);
        }
        let emits = options.method(descriptor, &options.emits);
        let events = emits.as_ref().map(|it| texts(it, "events")).unwrap_or_default();
        let why_none = emits.as_ref().map(|it| text(it, "none")).unwrap_or_default();
        let writes = matches!(audit, Some(Audit::Write(_)));
        if writes && events.is_empty() && why_none.is_empty() {
            fault("writes but says neither what it emits nor why nothing", EMITS);
        }
        if !writes && !events.is_empty() {
            fault("emits events but its audit is no write", AUDIT);
        }
        let idempotency = idempotency(options.method(descriptor, &options.idempotency));
        if !writes && idempotency != Idempotency::None {
            fault("keeps answers by key but does not write", "remove the idempotency option");
        }
        let streams = descriptor.is_client_streaming() || descriptor.is_server_streaming();
        if streams && idempotency != Idempotency::None {
            fault("streams and keeps answers by key", "remove the idempotency option");
        }
        if writes && descriptor.is_server_streaming() {
            fault(
                "writes and streams its answer, whose receipt would come before the entry",
                "make the write a method of its own",
            );
        }
        let metadata = options.method(descriptor, &options.metadata);
        let metadata = Metadata::read(metadata.as_ref());
        for problem in metadata.problems() {
            fault(&problem, "choose a name such as `x-lab-order`");
        }
        let Some(audit) = audit.filter(|_| faults.is_empty()) else { return Err(faults) };
        Ok(Self {
            path: format!("/{}/{}", service.descriptor.full_name(), descriptor.name()),
            service: service.name.clone(),
            scopes,
            callers,
            emits: events,
            idempotency,
            rate: rate(descriptor, &options.rate, writes),
            http: http(options.method(descriptor, &options.http)),
            metadata,
            has_route: descriptor.options().has_extension(&options.google_http),
            audit,
            descriptor: descriptor.clone(),
        })
    }

    /// Every event a method names must be declared by a message.
    pub(crate) fn check_emits(&self, events: &[Event], faults: &mut Vec<Fault>) {
        for name in self.emits.iter().filter(|name| !events.iter().any(|it| it.name == **name)) {
            faults.push(Fault::new(
                &self.descriptor.parent_file(),
                self.descriptor.path(),
                self.descriptor.full_name(),
                format!("emits {name}, which no message declares"),
                "declare it in events.proto with `option (loop.options.v1.event)`",
            ));
        }
    }

    pub fn writes(&self) -> bool {
        matches!(self.audit, Audit::Write(_))
    }
}

const ACCESS: &str = "add `option (loop.options.v1.access) = {scopes: \"read:…\" callers: USER};`, or `{callers: PUBLIC}`";
const AUDIT: &str =
    "add `option (loop.options.v1.audit) = {write: \"…\"};`, `{read: \"…\"}` or `{none: \"why\"}`";
const EMITS: &str = "add `option (loop.options.v1.emits) = {events: \"…\"};` or `{none: \"why\"}`";

fn callers(access: &DynamicMessage) -> Vec<Caller> {
    let Some(field) = access.descriptor().get_field_by_name("callers") else { return Vec::new() };
    let Kind::Enum(kind) = field.kind() else { return Vec::new() };
    let value = access.get_field(&field);
    let list = value.as_list().unwrap_or_default();
    let caller = |name: String| match name.as_str() {
        "USER" => Some(Caller::User),
        "SERVICE" => Some(Caller::Service),
        "STAFF" => Some(Caller::Staff),
        "PUBLIC" => Some(Caller::Public),
        _ => None,
    };
    list.iter().filter_map(|it| caller(enum_name(&kind, it))).collect()
}

fn audit(option: &DynamicMessage) -> Option<Audit> {
    let present = |field: &str| Some(text(option, field)).filter(|it| !it.is_empty());
    present("write")
        .map(Audit::Write)
        .or_else(|| present("read").map(Audit::Read))
        .or_else(|| present("none").map(Audit::None))
}

fn idempotency(option: Option<DynamicMessage>) -> Idempotency {
    let Some(option) = option else { return Idempotency::None };
    let retention_hours = match unsigned(&option, "retention_hours") {
        0 => 24,
        hours => hours,
    };
    match option.get_field_by_name("key").and_then(|it| it.as_enum_number()) {
        Some(1) => Idempotency::Accepted { retention_hours },
        Some(2) => Idempotency::Required { retention_hours },
        _ => Idempotency::None,
    }
}

fn rate(method: &MethodDescriptor, option: &ExtensionDescriptor, writes: bool) -> String {
    let default = if writes { "WRITE" } else { "READ" };
    let Kind::Enum(kind) = option.kind() else { return default.into() };
    let chosen = enum_name(&kind, &method.options().get_extension(option));
    if chosen.is_empty() { default.into() } else { chosen }
}

fn http(option: Option<DynamicMessage>) -> Http {
    option.map_or_else(Http::default, |it| Http {
        form: flag(&it, "form"),
        oauth_errors: flag(&it, "oauth_errors"),
        multipart: flag(&it, "multipart"),
        success_status: unsigned(&it, "success_status"),
        largest_body: unsigned(&it, "largest_body"),
    })
}

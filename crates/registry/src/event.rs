//! One event and what its option says.

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};
use regex_lite::Regex;

use crate::{
    Fault, Service, field,
    options::{Options, text},
    ours,
};

#[derive(Clone, Debug)]
pub struct Event {
    /// `clinical.biomarker.parsed.v1`.
    pub name: String,
    /// The service that publishes it.
    pub producer: String,
    /// The name's first two parts.
    pub aggregate: String,
    /// The field whose value orders delivery.
    pub key: String,
    /// Empty: no partner sees it.
    pub partner_scope: String,
    pub descriptor: MessageDescriptor,
}

pub(crate) fn read_all(
    options: &Options,
    pool: &DescriptorPool,
    services: &[Service],
    faults: &mut Vec<Fault>,
) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for descriptor in pool.all_messages().filter(|it| ours(it.package_name())) {
        let Some(option) = options.event(&descriptor) else { continue };
        let service =
            services.iter().find(|it| it.descriptor.package_name() == descriptor.package_name());
        let event = Event {
            name: text(&option, "name"),
            producer: service.map(|it| it.name.clone()).unwrap_or_default(),
            aggregate: text(&option, "name").split('.').take(2).collect::<Vec<_>>().join("."),
            key: text(&option, "key"),
            partner_scope: text(&option, "partner_scope"),
            descriptor,
        };
        event.check(options, &events, faults);
        events.push(event);
    }
    events
}

impl Event {
    fn check(&self, options: &Options, others: &[Event], faults: &mut Vec<Fault>) {
        let mut fault = |problem: String, mend: &str| {
            let it = &self.descriptor;
            faults.push(Fault::new(&it.parent_file(), it.path(), it.full_name(), problem, mend));
        };
        let shape = Regex::new(r"^[a-z_]+\.[a-z_]+(\.[a-z_]+)*\.v[1-9][0-9]*$").expect("a literal");
        if !shape.is_match(&self.name) {
            fault(
                format!("is named {:?}", self.name),
                "name it `<service>.<entity>.<past tense>.v1`",
            );
        }
        if self.producer.is_empty() {
            fault(
                "belongs to no service".into(),
                "move it into the package of the service that publishes it",
            );
        }
        if others.iter().any(|it| it.name == self.name) {
            fault(
                format!("takes the name {} a second time", self.name),
                "choose another name or version",
            );
        }
        match self.descriptor.get_field_by_name(&self.key) {
            Some(field) if field.kind() == Kind::String && !field.is_list() => {}
            _ => fault(
                format!("has no string field {:?} to order by", self.key),
                "name one in `key`",
            ),
        }
        for field in self.descriptor.fields() {
            let class = field::class(options, &field);
            if !matches!(class, None | Some(field::Phi::Identifier)) {
                let problem = format!("carries the protected value `{}`", field.name());
                fault(problem, "put an id or a code into the event, never a value");
            }
        }
    }
}

//! Reads `loop.options.v1` from descriptors.

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor, Value,
};

use crate::{Fault, Service};

/// The extensions, looked up once.
pub(crate) struct Options {
    service: ExtensionDescriptor,
    pub access: ExtensionDescriptor,
    pub audit: ExtensionDescriptor,
    pub idempotency: ExtensionDescriptor,
    pub rate: ExtensionDescriptor,
    pub emits: ExtensionDescriptor,
    pub http: ExtensionDescriptor,
    pub metadata: ExtensionDescriptor,
    pub google_http: ExtensionDescriptor,
    pub event: ExtensionDescriptor,
    pub phi: ExtensionDescriptor,
}

impl Options {
    pub fn of(pool: &DescriptorPool) -> Result<Self, Fault> {
        let find = |name: &str| {
            pool.get_extension_by_name(name).ok_or_else(|| Fault {
                file: "loop/options/v1/options.proto".into(),
                line: 0,
                subject: name.to_owned(),
                problem: "is not among the descriptors".into(),
                mend: "import the file in a contract and run `cargo xtask gen`".into(),
            })
        };
        Ok(Self {
            service: find("loop.options.v1.service")?,
            access: find("loop.options.v1.access")?,
            audit: find("loop.options.v1.audit")?,
            idempotency: find("loop.options.v1.idempotency")?,
            rate: find("loop.options.v1.rate")?,
            emits: find("loop.options.v1.emits")?,
            http: find("loop.options.v1.http")?,
            metadata: find("loop.options.v1.metadata")?,
            google_http: find("google.api.http")?,
            event: find("loop.options.v1.event")?,
            phi: find("loop.options.v1.phi")?,
        })
    }

    pub fn service(&self, descriptor: &ServiceDescriptor) -> Result<Service, Fault> {
        let options = message(&descriptor.options(), &self.service).ok_or_else(|| {
            Fault::new(
                &descriptor.parent_file(),
                descriptor.path(),
                descriptor.full_name(),
                "has no service option",
                "add `option (loop.options.v1.service) = {name: \"…\" schema: \"…\"};`",
            )
        })?;
        Ok(Service {
            name: text(&options, "name"),
            schema: text(&options, "schema"),
            display_name: text(&options, "display_name"),
            pages: texts(&options, "pages"),
            descriptor: descriptor.clone(),
        })
    }

    pub fn method(
        &self,
        method: &MethodDescriptor,
        option: &ExtensionDescriptor,
    ) -> Option<DynamicMessage> {
        message(&method.options(), option)
    }

    pub fn event(&self, descriptor: &MessageDescriptor) -> Option<DynamicMessage> {
        message(&descriptor.options(), &self.event)
    }
}

pub(crate) fn message(
    options: &DynamicMessage,
    option: &ExtensionDescriptor,
) -> Option<DynamicMessage> {
    options.has_extension(option).then(|| options.get_extension(option).as_message().cloned())?
}

/// A string field, empty when unset.
pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(crate) fn texts(message: &DynamicMessage, field: &str) -> Vec<String> {
    let value = message.get_field_by_name(field);
    let list = value.as_deref().and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

pub(crate) fn flag(message: &DynamicMessage, field: &str) -> bool {
    message.get_field_by_name(field).and_then(|it| it.as_bool()).unwrap_or_default()
}

pub(crate) fn unsigned(message: &DynamicMessage, field: &str) -> u32 {
    message.get_field_by_name(field).and_then(|it| it.as_u32()).unwrap_or_default()
}

/// The name of an enum value, empty when it is the unspecified one.
pub(crate) fn enum_name(kind: &EnumDescriptor, value: &Value) -> String {
    let number = value.as_enum_number().unwrap_or_default();
    let name = kind.get_value(number).filter(|_| number != 0);
    name.map(|it| it.name().to_owned()).unwrap_or_default()
}

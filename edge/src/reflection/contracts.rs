//! What can be called, as reflection tells it: files of descriptors, found by what is in them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FileDescriptor, MethodDescriptor,
    ServiceDescriptor, Value,
};
use tonic::Code;
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
    server_reflection_request::MessageRequest as Question,
    server_reflection_response::MessageResponse as Answer,
};

/// The contracts of all methods that are served, without what is not.
#[derive(Debug)]
pub(super) struct Contracts {
    services: Vec<String>,
    files: Vec<File>,
    /// Places in `files`, by path.
    paths: HashMap<String, usize>,
    /// By the full name of whatever has one.
    symbols: HashMap<String, usize>,
    /// By the name of the extended message, then by number.
    extensions: HashMap<String, BTreeMap<u32, usize>>,
}

/// A serialized `google.protobuf.FileDescriptorProto`.
#[derive(Debug)]
struct File {
    bytes: Vec<u8>,
    imports: Vec<usize>,
}

impl Contracts {
    /// The contracts in `pool` as far as their methods are served, by gRPC path.
    pub(super) fn new(pool: &DescriptorPool, is_served: impl Fn(&str) -> bool) -> Self {
        let is_served = |it: &MethodDescriptor| {
            is_served(&format!("/{}/{}", it.parent_service().full_name(), it.name()))
        };
        let mut contracts = Self::of_files(&reachable(pool, is_served), is_served);
        contracts.note_services(pool, is_served);
        contracts.note_types(pool);
        contracts
    }

    /// Answers a question. `sent` are the places of the files that the caller has: they are not
    /// sent again, unless one of them is what is asked for.
    pub(super) fn answer(
        &self,
        request: ServerReflectionRequest,
        sent: &mut BTreeSet<usize>,
    ) -> ServerReflectionResponse {
        let answer = match &request.message_request {
            Some(Question::ListServices(_)) => Some(self.services()),
            Some(Question::FileByFilename(path)) => {
                self.paths.get(path).map(|it| self.files(*it, sent))
            }
            Some(Question::FileContainingSymbol(name)) => {
                self.symbols.get(name).map(|it| self.files(*it, sent))
            }
            Some(Question::FileContainingExtension(it)) => u32::try_from(it.extension_number)
                .ok()
                .and_then(|number| self.extensions.get(&it.containing_type)?.get(&number))
                .map(|it| self.files(*it, sent)),
            Some(Question::AllExtensionNumbersOfType(name)) => self.numbers(name),
            None => Some(failure(Code::InvalidArgument, "no question, or an unknown one")),
        };
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: answer.or(Some(failure(Code::NotFound, "no contract has this"))),
        }
    }

    fn services(&self) -> Answer {
        let service = self.services.iter().map(|it| ServiceResponse { name: it.clone() });
        Answer::ListServicesResponse(ListServiceResponse { service: service.collect() })
    }

    /// A file, and what it imports as far as the caller does not have it.
    fn files(&self, place: usize, sent: &mut BTreeSet<usize>) -> Answer {
        sent.remove(&place);
        let (mut found, mut open) = (Vec::new(), vec![place]);
        while let Some(place) = open.pop() {
            if sent.insert(place) {
                found.push(self.files[place].bytes.clone());
                open.extend(&self.files[place].imports);
            }
        }
        Answer::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto: found })
    }

    fn numbers(&self, name: &str) -> Option<Answer> {
        self.symbols.get(name)?;
        let numbers = self.extensions.get(name).into_iter().flat_map(BTreeMap::keys);
        Some(Answer::AllExtensionNumbersResponse(ExtensionNumberResponse {
            base_type_name: name.to_owned(),
            extension_number: numbers.filter_map(|it| i32::try_from(*it).ok()).collect(),
        }))
    }

    fn of_files(
        files: &BTreeMap<String, FileDescriptor>,
        is_served: impl Fn(&MethodDescriptor) -> bool,
    ) -> Self {
        let paths: HashMap<_, _> = files.keys().cloned().zip(0..).collect();
        let files = files.values().map(|it| File {
            bytes: encoded(it, &is_served),
            imports: it.dependencies().map(|it| paths[it.name()]).collect(),
        });
        let files = files.collect();
        let (services, symbols, extensions) = Default::default();
        Self { services, files, paths, symbols, extensions }
    }

    fn note_services(
        &mut self,
        pool: &DescriptorPool,
        is_served: impl Fn(&MethodDescriptor) -> bool,
    ) {
        for service in pool.services() {
            let methods: Vec<_> = service.methods().filter(&is_served).collect();
            if !methods.is_empty() {
                self.services.push(service.full_name().to_owned());
                self.note(service.full_name(), &service.parent_file());
            }
            for method in methods {
                self.note(method.full_name(), &service.parent_file());
            }
        }
        self.services.sort_unstable();
    }

    fn note_types(&mut self, pool: &DescriptorPool) {
        for message in pool.all_messages() {
            self.note(message.full_name(), &message.parent_file());
            for field in message.fields() {
                self.note(field.full_name(), &message.parent_file());
            }
            for oneof in message.oneofs() {
                self.note(oneof.full_name(), &message.parent_file());
            }
        }
        for kind in pool.all_enums() {
            self.note(kind.full_name(), &kind.parent_file());
            for value in kind.values() {
                self.note(value.full_name(), &kind.parent_file());
            }
        }
        for extension in pool.all_extensions() {
            self.note(extension.full_name(), &extension.parent_file());
            self.note_extension(&extension);
        }
    }

    fn note(&mut self, name: &str, file: &FileDescriptor) {
        if let Some(place) = self.paths.get(file.name()) {
            self.symbols.insert(name.to_owned(), *place);
        }
    }

    fn note_extension(&mut self, extension: &ExtensionDescriptor) {
        if let Some(place) = self.paths.get(extension.parent_file().name()) {
            let extended = extension.containing_message().full_name().to_owned();
            self.extensions.entry(extended).or_default().insert(extension.number(), *place);
        }
    }
}

/// The files of what is served and all that they import, by path; and the details of errors,
/// which no contract imports and every error may carry.
fn reachable(
    pool: &DescriptorPool,
    is_served: impl Fn(&MethodDescriptor) -> bool,
) -> BTreeMap<String, FileDescriptor> {
    let serves = |it: &ServiceDescriptor| it.methods().any(|it| is_served(&it));
    let details = pool.get_message_by_name("google.rpc.ErrorInfo").map(|it| it.parent_file());
    let services = pool.services().filter(serves).map(|it| it.parent_file());
    let mut open: Vec<_> = services.chain(details).collect();
    let mut found = BTreeMap::new();
    while let Some(file) = open.pop() {
        if !found.contains_key(file.name()) {
            open.extend(file.dependencies());
            found.insert(file.name().to_owned(), file);
        }
    }
    found
}

/// A file without the methods that are not served. Options, which are extensions, stay.
fn encoded(file: &FileDescriptor, is_served: impl Fn(&MethodDescriptor) -> bool) -> Vec<u8> {
    let bytes = file.encode_to_vec();
    let methods = file.services().flat_map(|it| it.methods().collect::<Vec<_>>());
    let (served, hidden): (Vec<_>, Vec<_>) = methods.partition(is_served);
    if hidden.is_empty() {
        return bytes;
    }
    let served: HashSet<_> = served.iter().map(|it| it.full_name().to_owned()).collect();
    let kind = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorProto");
    let kind = kind.expect("the global pool has the well-known types");
    let mut file = DynamicMessage::decode(kind, &*bytes).expect("it was encoded here");
    let package = text(&file, "package");
    retain(&mut file, "service", |service| {
        let name = format!("{package}.{}", text(service, "name"));
        retain(service, "method", |it| served.contains(&format!("{name}.{}", text(it, "name"))))
    });
    file.clear_field_by_name("source_code_info"); // It names declarations by their places.
    file.encode_to_vec()
}

/// Keeps what is to be kept of a list of messages. Returns whether that is anything.
fn retain(
    message: &mut DynamicMessage,
    field: &str,
    keep: impl Fn(&mut DynamicMessage) -> bool,
) -> bool {
    let list = message.get_field_by_name_mut(field).and_then(Value::as_list_mut);
    let list = list.expect("descriptors have this list");
    list.retain_mut(|it| keep(it.as_message_mut().expect("it is a list of messages")));
    !list.is_empty()
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

fn failure(code: Code, message: &str) -> Answer {
    Answer::ErrorResponse(ErrorResponse {
        error_code: code as i32,
        error_message: message.to_owned(),
    })
}

//! The update mask of a PATCH: inferred from the JSON body, or checked if the caller sends one.
//!
//! Where the request has a `google.protobuf.FieldMask update_mask` and neither body nor query
//! sets it, it becomes the paths that the body has. Its paths are relative to the resource:
//!
//! - with `body: "field"`, the message that is the body;
//! - with `body: "*"`, the top-level message that all variables of the path lie in, as AIP-134
//!   has it (`patch: "/v1/{book.name=books/*}"`);
//! - otherwise the request itself, less `update_mask`.
//!
//! A path ends at a value, a list, a map, a `null` or a message with a JSON form of its own;
//! `null` names a field and leaves it out, so that it is cleared. An empty object names its
//! message. What the URL says is no change, nor is `etag`, which is a precondition (AIP-154). If
//! nothing is left there is no mask.

use crate::binding::Body;
use crate::fault::{Fault, Within, broken};
use crate::field_path::FieldPath;
use crate::json::Scanner;
use crate::plan::{FieldPlan, MessageId, Plans, WellKnown};
use crate::wire::{
    LENGTH, Reader, WireError, close_length, open_length, payloads, put_bytes, put_tag,
};

type Result<T> = std::result::Result<T, Fault>;

const NAME: &str = "update_mask";
/// How many paths a mask has at most: a small body can name many long ones.
const MOST_PATHS: usize = 1000;
/// How much of a wrong path an error repeats.
const PATH_SHOWN: usize = 64;

/// What is known of the mask of one binding.
#[derive(Debug)]
pub(crate) struct UpdateMask {
    request: MessageId,
    /// The number of the mask's own field.
    number: u32,
    /// The message that the paths are relative to.
    resource: MessageId,
    /// The member of the body that is the resource, by index; none if the body is.
    member: Option<usize>,
    /// Paths of the resource that a body may have and that are no change.
    kept: Vec<String>,
}

impl UpdateMask {
    /// None if the request has no mask or the body no resource.
    pub(crate) fn compile(
        plans: &Plans,
        request: MessageId,
        body: Body,
        variables: &[FieldPath],
    ) -> Option<UpdateMask> {
        let plan = plans.message(request);
        let mask = plan.fields.iter().find(|field| is_mask(plans, field))?;
        let index = match body {
            Body::None => return None,
            Body::Whole => common_message(variables),
            Body::Field(index) => Some(index),
        };
        let (resource, prefix) = match index.map(|index| &plan.fields[index]) {
            Some(field) => (nested(plans, field)?, format!("{}.", field.name)),
            None => (request, String::new()),
        };
        let inside = |path: &FieldPath| path.name.strip_prefix(&prefix).map(str::to_owned);
        let mut kept: Vec<String> = variables.iter().filter_map(inside).collect();
        kept.push("etag".to_owned());
        kept.extend(index.is_none().then(|| NAME.to_owned()));
        let member = index.filter(|_| body == Body::Whole);
        Some(UpdateMask { request, number: mask.number, resource, member, kept })
    }

    /// Checks the mask of a request, or appends it. The body is JSON that became `out`.
    pub(crate) fn complete(
        &self,
        out: &mut Vec<u8>,
        plans: &Plans,
        body: Option<&str>,
    ) -> Result<()> {
        if payloads(out, self.number).next().is_some() {
            return self.check(out, plans).within(NAME);
        }
        let Some(body) = body else { return Ok(()) };
        let paths = self.infer(plans, body).within(NAME)?;
        if !paths.is_empty() {
            self.put(out, &paths);
        }
        Ok(())
    }

    fn infer(&self, plans: &Plans, body: &str) -> Result<Vec<String>> {
        let mut paths = Paths {
            plans,
            scanner: Scanner::new(body),
            kept: &self.kept,
            prefix: String::new(),
            found: Vec::new(),
        };
        match self.member {
            Some(member) => paths.inside(self.request, member, self.resource)?,
            None => paths.resource(self.resource)?,
        }
        Ok(paths.found)
    }

    /// Every path must name a field of the resource; a JSON name becomes the declared one.
    fn check(&self, out: &mut Vec<u8>, plans: &Plans) -> Result<()> {
        let masks = payloads(out, self.number).flatten();
        let sent: Vec<&[u8]> = masks.flat_map(|mask| payloads(mask, 1).flatten()).collect();
        let declared = sent.iter().map(|path| self.declared(plans, path));
        let declared = declared.collect::<Result<Vec<String>>>()?;
        if !sent.iter().copied().eq(declared.iter().map(String::as_bytes)) {
            *out = without(out, self.number).map_err(|_| broken("cannot be read"))?;
            self.put(out, &declared);
        }
        Ok(())
    }

    fn declared(&self, plans: &Plans, path: &[u8]) -> Result<String> {
        let path = String::from_utf8_lossy(path);
        if path == "*" {
            return Ok(path.into_owned());
        }
        let found = FieldPath::resolve(plans, self.resource, &path);
        let is_itself = |path: &FieldPath| path.name == NAME && self.kept.contains(&path.name);
        let found = found.filter(|found| !is_itself(found));
        found.map(|found| found.name).ok_or_else(|| {
            let shown: String = path.chars().take(PATH_SHOWN).collect();
            let resource = &plans.message(self.resource).full_name;
            broken(format!("{shown:?} is not a field of {resource}"))
        })
    }

    fn put(&self, out: &mut Vec<u8>, paths: &[String]) {
        put_tag(out, self.number, LENGTH);
        let start = open_length(out);
        for path in paths {
            put_bytes(out, 1, path.as_bytes());
        }
        close_length(out, start);
    }
}

/// The paths of a JSON text, collected in its order.
struct Paths<'a> {
    plans: &'a Plans,
    scanner: Scanner<'a>,
    kept: &'a [String],
    /// The path to where the scanner is.
    prefix: String,
    found: Vec<String>,
}

impl Paths<'_> {
    /// The resource is one member of the object.
    fn inside(&mut self, request: MessageId, member: usize, resource: MessageId) -> Result<()> {
        if !self.scanner.accept(b'{') || self.scanner.accept(b'}') {
            return Ok(());
        }
        loop {
            let name = self.scanner.name()?;
            if self.plans.message(request).index_of_name(&name) == Some(member) {
                self.resource(resource)?;
            } else {
                self.scanner.skip_value(0)?;
            }
            if !self.scanner.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// A `null` or an empty object changes nothing.
    fn resource(&mut self, id: MessageId) -> Result<()> {
        match self.scanner.peek() {
            Some(b'{') => self.members(id),
            _ => self.scanner.skip_value(0),
        }
    }

    /// An object whose brace is next. It is nested no deeper than the reader of JSON allows.
    fn members(&mut self, id: MessageId) -> Result<()> {
        let length = self.prefix.len();
        self.scanner.expect(b'{', "expected '{'")?;
        if self.scanner.accept(b'}') {
            return self.add();
        }
        loop {
            let name = self.scanner.name()?;
            let plan = self.plans.message(id);
            match plan.index_of_name(&name) {
                Some(index) => self.member(&plan.fields[index])?,
                None => self.scanner.skip_value(0)?,
            }
            self.prefix.truncate(length);
            if !self.scanner.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn member(&mut self, field: &FieldPlan) -> Result<()> {
        if !self.prefix.is_empty() {
            self.prefix.push('.');
        }
        self.prefix.push_str(&field.name);
        match nested(self.plans, field) {
            Some(id) if self.scanner.peek() == Some(b'{') => self.members(id),
            _ => {
                self.scanner.skip_value(0)?;
                self.add()
            }
        }
    }

    fn add(&mut self) -> Result<()> {
        if self.prefix.is_empty() || self.kept.contains(&self.prefix) {
            return Ok(());
        }
        if self.found.len() == MOST_PATHS {
            return Err(broken(format!("must not have more than {MOST_PATHS} paths")));
        }
        self.found.push(self.prefix.clone());
        Ok(())
    }
}

fn is_mask(plans: &Plans, field: &FieldPlan) -> bool {
    &*field.name == NAME
        && !field.is_repeated()
        && field.kind.message().and_then(|id| plans.message(id).well_known)
            == Some(WellKnown::FieldMask)
}

/// The message of a field whose JSON is one object of fields.
fn nested(plans: &Plans, field: &FieldPlan) -> Option<MessageId> {
    let id = field.kind.message().filter(|_| !field.is_repeated())?;
    plans.message(id).well_known.is_none().then_some(id)
}

/// The top-level field that all variables lie in.
fn common_message(variables: &[FieldPath]) -> Option<usize> {
    let outer = |path: &FieldPath| match path.indexes().as_slice() {
        [outer, _, ..] => Some(usize::from(*outer)),
        _ => None,
    };
    let first = outer(variables.first()?)?;
    variables.iter().all(|path| outer(path) == Some(first)).then_some(first)
}

/// A message less one of its fields.
fn without(bytes: &[u8], unwanted: u32) -> std::result::Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let before = reader.rest();
        let (number, wire_type) = reader.tag()?;
        reader.skip(number, wire_type)?;
        if number != unwanted {
            out.extend_from_slice(&before[..before.len() - reader.rest().len()]);
        }
    }
    Ok(out)
}

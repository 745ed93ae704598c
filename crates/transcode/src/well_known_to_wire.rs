//! The messages of `google.protobuf` that have a JSON form of their own, into the wire.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::fault::{Fault, Within, broken};
use crate::json_to_wire::Decoder;
use crate::number::double;
use crate::plan::{MessageId, MessagePlan};
use crate::wire::{FIXED64, LENGTH, VARINT, close_length, open_length, put_bytes, put_tag};

type Result<T> = std::result::Result<T, Fault>;

impl<'a> Decoder<'a> {
    pub(crate) fn wrapper(&mut self, plan: &MessagePlan, depth: u32) -> Result<()> {
        match plan.fields.first() {
            Some(field) => self.tagged(field, depth),
            None => self.scanner.skip_value(depth),
        }
    }

    /// `google.protobuf.Struct`: entries of a name and a Value.
    pub(crate) fn structure(&mut self, depth: u32) -> Result<()> {
        let depth = self.open(b'{', "must be an object", depth)?;
        let mut names = HashSet::new();
        if self.scanner.accept(b'}') {
            return Ok(());
        }
        loop {
            let name = self.scanner.name()?;
            put_tag(self.out, 1, LENGTH);
            let start = open_length(self.out);
            put_bytes(self.out, 1, name.as_bytes());
            self.nested_value(2, depth).within("[]")?;
            close_length(self.out, start);
            if !names.insert(name) {
                return Err(broken("must not have a key twice"));
            }
            if !self.scanner.another(b'}')? {
                return Ok(());
            }
        }
    }

    pub(crate) fn list_value(&mut self, depth: u32) -> Result<()> {
        let depth = self.open(b'[', "must be a list", depth)?;
        if self.scanner.accept(b']') {
            return Ok(());
        }
        for index in 0.. {
            self.nested_value(1, depth).at(index)?;
            if !self.scanner.another(b']')? {
                break;
            }
        }
        Ok(())
    }

    fn nested_value(&mut self, number: u32, depth: u32) -> Result<()> {
        put_tag(self.out, number, LENGTH);
        let start = open_length(self.out);
        self.any_value(depth)?;
        close_length(self.out, start);
        Ok(())
    }

    /// `google.protobuf.Value`: the oneof that fits the JSON.
    pub(crate) fn any_value(&mut self, depth: u32) -> Result<()> {
        match self.scanner.peek() {
            Some(b'n') => {
                self.scanner.word("null")?;
                put_tag(self.out, 1, VARINT);
                self.out.push(0);
            }
            Some(b'"') => {
                let text = self.scanner.string()?;
                put_bytes(self.out, 3, text.as_bytes());
            }
            Some(b't' | b'f') => {
                put_tag(self.out, 4, VARINT);
                self.boolean()?;
            }
            Some(b'{') => self.in_field(5, |decoder| decoder.structure(depth))?,
            Some(b'[') => self.in_field(6, |decoder| decoder.list_value(depth))?,
            _ => {
                let value = double(self.scanner.number()?)?;
                put_tag(self.out, 2, FIXED64);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }

    fn in_field(&mut self, number: u32, put: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        put_tag(self.out, number, LENGTH);
        let start = open_length(self.out);
        put(self)?;
        close_length(self.out, start);
        Ok(())
    }

    /// `google.protobuf.Any`: `@type` may stand anywhere, so it is looked for first.
    pub(crate) fn any(&mut self, depth: u32) -> Result<()> {
        let depth = self.open(b'{', "must be an object", depth)?;
        if self.scanner.accept(b'}') {
            return Ok(());
        }
        let url = self.type_url(depth)?;
        let plans = self.plans;
        let Some(id) = plans.by_type_url(&url) else {
            return Err(broken("is not the URL of a known message")).within("@type");
        };
        put_bytes(self.out, 1, url.as_bytes());
        self.in_field(2, |decoder| match plans.message(id).well_known {
            Some(_) => decoder.any_well_known(id, depth),
            None => decoder.members(plans.message(id), depth, true),
        })
    }

    fn type_url(&self, depth: u32) -> Result<Cow<'a, str>> {
        let mut scanner = self.scanner.clone();
        let mut url = None;
        loop {
            if scanner.name()? != "@type" {
                scanner.skip_value(depth)?;
            } else if url.is_some() {
                return Err(broken("is there twice")).within("@type");
            } else if scanner.peek() != Some(b'"') {
                return Err(broken("must be a string")).within("@type");
            } else {
                url = Some(scanner.string()?);
            }
            if !scanner.another(b'}')? {
                return url.ok_or_else(|| broken("is required")).within("@type");
            }
        }
    }

    /// A message with a JSON form of its own stands in the member `value`.
    fn any_well_known(&mut self, id: MessageId, depth: u32) -> Result<()> {
        let mut found = false;
        loop {
            let name = self.scanner.name()?;
            match name.as_ref() {
                "value" if found => return Err(broken("is there twice")).within("value"),
                "value" => {
                    self.message(id, depth).within("value")?;
                    found = true;
                }
                _ => self.unknown_member(&name, true, depth)?,
            }
            if !self.scanner.another(b'}')? {
                break;
            }
        }
        if found { Ok(()) } else { Err(broken("is required")).within("value") }
    }
}

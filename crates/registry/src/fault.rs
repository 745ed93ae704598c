//! What is wrong with a contract, where, and how to mend it.

use std::fmt;

use prost_reflect::{DescriptorError, FileDescriptor};

/// One fault of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Path below `proto/`.
    pub file: String,
    /// From 1; 0 where the descriptors carry no source positions.
    pub line: i32,
    /// The full name of the method, field or message.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What to write.
    pub mend: String,
}

/// All faults found in one reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    pub(crate) fn of(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl Fault {
    pub(crate) fn new(
        file: &FileDescriptor,
        path: &[i32],
        subject: &str,
        problem: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            file: file.name().to_owned(),
            line: line(file, path),
            subject: subject.to_owned(),
            problem: problem.into(),
            mend: mend.into(),
        }
    }

    pub(crate) fn unreadable(cause: &DescriptorError) -> Self {
        Self {
            file: String::new(),
            line: 0,
            subject: "descriptors".into(),
            problem: cause.to_string(),
            mend: "run `cargo xtask gen`".into(),
        }
    }
}

/// Where a descriptor stands in its file, by its path in `SourceCodeInfo`.
fn line(file: &FileDescriptor, path: &[i32]) -> i32 {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|it| it.location.iter().find(|it| it.path == path));
    location.and_then(|it| it.span.first()).map_or(0, |line| line + 1)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, subject, problem, mend } = self;
        write!(f, "proto/{file}:{line}: {subject} {problem}; {mend}")
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

//! Joins the descriptor sets of several packages into one pool.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{DescriptorError, DescriptorPool};

/// A `FileDescriptorSet` with its files left as bytes: decoding them into typed descriptors would
/// drop the options, which are extensions.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct RawFile {
    #[prost(string, tag = "1")]
    name: String,
}

/// Merges serialized sets. The first occurrence of a file wins: all are of one generation.
pub fn merge(sets: &[&[u8]]) -> Result<DescriptorPool, DescriptorError> {
    let mut seen = BTreeSet::new();
    let mut merged = RawSet::default();
    for set in sets {
        for file in RawSet::decode(*set).unwrap_or_default().file {
            let name = RawFile::decode(&file[..]).unwrap_or_default().name;
            if seen.insert(name) {
                merged.file.push(file);
            }
        }
    }
    DescriptorPool::decode(&merged.encode_to_vec()[..])
}

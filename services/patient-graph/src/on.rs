//! What this service does when others' events arrive.

use clinical_contract::v1::BiomarkerParsed;
use kit::{Change, Reaction, Result};

use crate::domain::timeline::{Entry, EntryId};

/// A laboratory report was recorded: the patient's timeline tells it.
pub async fn biomarker_parsed(reaction: Reaction) -> Result<()> {
    let event: BiomarkerParsed = reaction.event()?;
    let entry =
        Entry::biomarkers_recorded(EntryId::mint(), &event, reaction.occurred_at(), reaction.now());
    let id = entry.id;
    reaction.record(Change::of(entry, "timeline_event", id)).await
}

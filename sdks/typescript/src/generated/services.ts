// Written by `cargo xtask gen`. Do not edit.

import type { Caller } from "../operation.js";
import { Clinical } from "./clinical.js";
import { Events } from "./events.js";
import { Identity } from "./identity.js";
import { PatientGraph } from "./patient-graph.js";
import { Platform } from "./platform.js";

export type * as clinical from "./clinical.js";
export type * as events from "./events.js";
export type * as identity from "./identity.js";
export type * as patientGraph from "./patient-graph.js";
export type * as platform from "./platform.js";

/** Every service of the platform. */
export class Services {
  /**
   * Biomarkers of a patient: recorded from lab reports, converted to one unit, classified
   * against sex-specific reference ranges.
   */
  readonly clinical: Clinical;
  /** The catalogue of events, and what became of each one sent. */
  readonly events: Events;
  /** Who people and programs are, and what they may do: OAuth 2.1 with opaque tokens. */
  readonly identity: Identity;
  /** Patients, who they are to the rest of the platform, and what happened to them in order. */
  readonly patientGraph: PatientGraph;
  /** Brands and what crosses them: the catalogue of tenants and the platform's audit log. */
  readonly platform: Platform;

  constructor(caller: Caller) {
    this.clinical = new Clinical(caller);
    this.events = new Events(caller);
    this.identity = new Identity(caller);
    this.patientGraph = new PatientGraph(caller);
    this.platform = new Platform(caller);
  }
}

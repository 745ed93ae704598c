// Written by `cargo xtask gen` from loop.patient_graph.v1. Do not edit.

import type { Caller, CallOptions, Operation } from "../operation.js";

/**
 * Sex as laboratories' reference ranges distinguish it.
 *
 * - `female`
 * - `male`
 * - `intersex`
 */
export type Gender = "female" | "male" | "intersex";

export interface ListTimelineResponse {
  events: Array<TimelineEvent>;
  patient_id?: string;
  total: number;
}

/** A person under care. */
export interface Patient {
  brand_id?: string;
  created_at?: string;
  /** YYYY-MM-DD. */
  date_of_birth?: string;
  email?: string;
  /** Ids of the same person elsewhere. */
  external_ids: Record<string, string>;
  first_name?: string;
  gender?: Gender;
  /** pat_… */
  id?: string;
  last_name?: string;
  metadata?: Record<string, unknown>;
  phone?: string;
  status?: string;
  updated_at?: string;
  /** usr_…, if the person has an account. */
  user_id?: string;
}

/** A patient without names, birth date, sex, e-mail and phone. */
export interface SafePatient {
  brand_id?: string;
  created_at?: string;
  external_ids: Record<string, string>;
  id?: string;
  metadata?: Record<string, unknown>;
  status?: string;
  updated_at?: string;
}

/** One thing that happened to a patient. */
export interface TimelineEvent {
  brand_id?: string;
  created_at?: string;
  description?: string;
  event_type?: string;
  /** tle_… */
  id?: string;
  metadata?: Record<string, unknown>;
  occurred_at?: string;
  patient_id?: string;
  source_id?: string;
  /** What it came from, such as "lab_report". */
  source_type?: string;
  title?: string;
}

/** What `createPatient` takes. */
export interface CreatePatientRequest {
  /** Must be the brand of the token. */
  brand_id: string;
  /** YYYY-MM-DD. */
  date_of_birth?: string;
  email?: string;
  external_ids?: Record<string, string>;
  first_name: string;
  gender?: Gender;
  last_name: string;
  metadata?: Record<string, unknown>;
  phone?: string;
  /** usr_…, if the person has an account. */
  user_id?: string;
}

/** What `getPatientSafe` takes. */
export interface GetPatientSafeRequest {
  /** pat_… */
  id: string;
}

/** What `listTimeline` takes. */
export interface ListTimelineRequest {
  /** pat_… */
  patient_id: string;
  /** Only this type, such as "biomarkers_recorded". */
  event_type?: string;
  /** 1 to 100, 20 if absent. */
  limit?: number;
  /** At most 10000. */
  offset?: number;
}

const CREATE_PATIENT: Operation = {
  name: "PatientGraphService/CreatePatient",
  verb: "POST",
  path: "/v1/patients",
  body: { as: "json" },
  keyed: true,
};

const GET_PATIENT_SAFE: Operation = {
  name: "PatientGraphService/GetPatientSafe",
  verb: "GET",
  path: "/v1/patients/{id}/safe",
};

const LIST_TIMELINE: Operation = {
  name: "PatientGraphService/ListTimeline",
  verb: "GET",
  path: "/v1/patients/{patient_id}/timeline",
  pages: { by: "offset", items: "events" },
};

/** Patients, who they are to the rest of the platform, and what happened to them in order. */
export class PatientGraph {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Creates a patient.
   *
   * Fails with PATIENT_EXISTS when the user already has one in this brand.
   */
  createPatient(
    request: CreatePatientRequest,
    options: CallOptions = {},
  ): Promise<Patient> {
    return this.#caller.call(CREATE_PATIENT, request, options);
  }

  /**
   * Returns a patient without anything that tells who it is: the safe view.
   *
   * A person sees only their own. Fails with PATIENT_NOT_FOUND.
   */
  getPatientSafe(
    request: GetPatientSafeRequest,
    options: CallOptions = {},
  ): Promise<SafePatient> {
    return this.#caller.call(GET_PATIENT_SAFE, request, options);
  }

  /**
   * Lists what happened to a patient, newest first.
   *
   * A person sees only their own. Fails with PATIENT_NOT_FOUND.
   */
  listTimeline(
    request: ListTimelineRequest,
    options: CallOptions = {},
  ): Promise<ListTimelineResponse> {
    return this.#caller.call(LIST_TIMELINE, request, options);
  }

  /** The items of every page of `listTimeline`, asked for as they are needed. */
  iterateTimeline(
    request: ListTimelineRequest,
    options: CallOptions = {},
  ): AsyncGenerator<TimelineEvent, void, undefined> {
    return this.#caller.items(LIST_TIMELINE, request, options);
  }
}

// Written by `cargo xtask gen` from loop.clinical.v1. Do not edit.

import type { Caller, CallOptions, Operation } from "../operation.js";

/** One measured value of one person. */
export interface Biomarker {
  /** The platform's code, such as "albumin". */
  biomarker_code?: string;
  biomarker_name?: string;
  brand_id?: string;
  /** When the sample was taken. */
  collected_at?: string;
  /** "<" or ">" where the laboratory could only bound the value; absent: `value` is exact. */
  comparator?: string;
  /** bio_… */
  id?: string;
  /** When the platform recorded it. */
  parsed_at?: string;
  /** pat_… */
  patient_id?: string;
  reference_high?: number;
  /** The range the value was classified by, in `unit`, for the patient's sex. */
  reference_low?: number;
  status?: BiomarkerStatus;
  /** UCUM, such as "g/dL". */
  unit?: string;
  /** Exact decimal in `unit`. */
  value?: number;
}

/** One result as the laboratory wrote it. */
export interface BiomarkerResultInput {
  /** The platform's code. */
  code: string;
  /** When the sample was taken. */
  collected_at: string;
  /** The laboratory's own name of it. */
  name: string;
  reference_high?: number | string;
  /** The laboratory's own range, in `unit`. Absent: the platform's range for the patient's sex. */
  reference_low?: number | string;
  /** UCUM or a common laboratory spelling. */
  unit: string;
  /** Exact decimal in `unit`, or text with "<" or ">" before it. */
  value: number | string;
}

/**
 * How a value stands to its reference range.
 *
 * - `normal`: Within the reference range, bounds included.
 * - `low`: Below the range.
 * - `high`: Above the range.
 * - `critical`: So far outside that somebody should be called.
 */
export type BiomarkerStatus = "normal" | "low" | "high" | "critical";

export interface ListBiomarkersResponse {
  biomarkers: Array<Biomarker>;
  next_page_token?: string;
}

export interface ListMyBiomarkersResponse {
  biomarkers: Array<Biomarker>;
  /** Absent on the last page. */
  next_page_token?: string;
}

export interface ParseBiomarkersResponse {
  count: number;
  results: Array<Biomarker>;
}

/** What `parseBiomarkers` takes. */
export interface ParseBiomarkersRequest {
  biomarkers: Array<BiomarkerResultInput>;
  /** Must be the brand of the token. */
  brand_id: string;
  /** pat_… */
  patient_id: string;
  /** Where the report comes from, such as "manual" or "labcorp". */
  source: string;
}

/** What `listMyBiomarkers` takes. */
export interface ListMyBiomarkersRequest {
  /** 1 to 100, 20 if absent. */
  page_size?: number;
  /** From next_page_token of the page before. */
  page_token?: string;
  /** Only this code. */
  biomarker_code?: string;
}

/** What `listBiomarkers` takes. */
export interface ListBiomarkersRequest {
  /** usr_… */
  user_id: string;
  /** 1 to 100, 20 if absent. */
  page_size?: number;
  page_token?: string;
}

/** What `getBiomarker` takes. */
export interface GetBiomarkerRequest {
  /** bio_… */
  id: string;
}

const PARSE_BIOMARKERS: Operation = {
  name: "ClinicalService/ParseBiomarkers",
  verb: "POST",
  path: "/v1/biomarkers/parse",
  body: { as: "json" },
  keyed: true,
};

const LIST_MY_BIOMARKERS: Operation = {
  name: "ClinicalService/ListMyBiomarkers",
  verb: "GET",
  path: "/v1/biomarkers/me",
  pages: { by: "token", items: "biomarkers" },
};

const LIST_BIOMARKERS: Operation = {
  name: "ClinicalService/ListBiomarkers",
  verb: "GET",
  path: "/v1/biomarkers",
  pages: { by: "token", items: "biomarkers" },
};

const GET_BIOMARKER: Operation = {
  name: "ClinicalService/GetBiomarker",
  verb: "GET",
  path: "/v1/biomarkers/{id}",
};

/**
 * Biomarkers of a patient: recorded from lab reports, converted to one unit, classified against
 * sex-specific reference ranges.
 */
export class Clinical {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Records the results of one lab report and classifies each.
   *
   * All results are recorded or none. Safe to retry with the same Idempotency-Key. Fails with
   * PATIENT_NOT_FOUND, BIOMARKER_UNKNOWN, UNIT_UNKNOWN, VALUE_NOT_DECIMAL, VALUE_IMPLAUSIBLE
   * and BIOMARKER_DUPLICATE, each naming the result's index.
   */
  parseBiomarkers(
    request: ParseBiomarkersRequest,
    options: CallOptions = {},
  ): Promise<ParseBiomarkersResponse> {
    return this.#caller.call(PARSE_BIOMARKERS, request, options);
  }

  /**
   * Lists the caller's own biomarkers, newest first.
   *
   * An empty list when nothing was recorded.
   */
  listMyBiomarkers(
    request: ListMyBiomarkersRequest = {},
    options: CallOptions = {},
  ): Promise<ListMyBiomarkersResponse> {
    return this.#caller.call(LIST_MY_BIOMARKERS, request, options);
  }

  /** The items of every page of `listMyBiomarkers`, asked for as they are needed. */
  iterateMyBiomarkers(
    request: ListMyBiomarkersRequest = {},
    options: CallOptions = {},
  ): AsyncGenerator<Biomarker, void, undefined> {
    return this.#caller.items(LIST_MY_BIOMARKERS, request, options);
  }

  /** Lists one person's biomarkers for another service, newest first. */
  listBiomarkers(
    request: ListBiomarkersRequest,
    options: CallOptions = {},
  ): Promise<ListBiomarkersResponse> {
    return this.#caller.call(LIST_BIOMARKERS, request, options);
  }

  /** The items of every page of `listBiomarkers`, asked for as they are needed. */
  iterateBiomarkers(
    request: ListBiomarkersRequest,
    options: CallOptions = {},
  ): AsyncGenerator<Biomarker, void, undefined> {
    return this.#caller.items(LIST_BIOMARKERS, request, options);
  }

  /**
   * Returns one biomarker: a person sees only their own.
   *
   * Fails with BIOMARKER_NOT_FOUND.
   */
  getBiomarker(
    request: GetBiomarkerRequest,
    options: CallOptions = {},
  ): Promise<Biomarker> {
    return this.#caller.call(GET_BIOMARKER, request, options);
  }
}

// Written by `cargo xtask gen` from loop.platform.v1. Do not edit.

import type { Caller, CallOptions, Operation } from "../operation.js";

/** One row of a service's audit log. */
export interface AuditLogRow {
  actor_id?: string;
  actor_type?: string;
  brand_id?: string;
  /** Ids and codes, never protected values. */
  details?: Record<string, unknown>;
  entity_id?: string;
  entity_type?: string;
  event_type?: string;
  id?: string;
  request_id?: string;
  /** The service whose log holds the row. */
  source?: string;
  ts?: string;
}

/** A tenant: configuration, and the partition of all data. */
export interface Brand {
  compliance_regime?: ComplianceRegime;
  /** Theme, sender, vendor sub-accounts by reference; never a secret. */
  config?: Record<string, unknown>;
  created_at?: string;
  /** Changes with every update; send it as If-Match. */
  etag?: string;
  /** UUID. */
  id?: string;
  /** The name people read. */
  name?: string;
  /** What `brand_id` is everywhere else. Never changes. */
  slug?: string;
  status?: BrandStatus;
  updated_at?: string;
}

/**
 * Where a brand stands in its life.
 *
 * - `draft`: Being prepared; nobody signs in.
 * - `active`: Open.
 * - `inactive`: Closed to new sign-ins and orders; existing data stays readable.
 */
export type BrandStatus = "draft" | "active" | "inactive";

/**
 * The law that a brand's data falls under.
 *
 * - `none`
 * - `hipaa`
 * - `gdpr`
 * - `arl_5_7`
 */
export type ComplianceRegime = "none" | "hipaa" | "gdpr" | "arl_5_7";

export interface ListAuditLogResponse {
  rows: Array<AuditLogRow>;
  /** Rows that match, over all pages. */
  total: number;
}

/** What `getBrand` takes. */
export interface GetBrandRequest {
  /** The brand's UUID or slug. */
  id: string;
}

/** What `updateBrand` takes. */
export interface UpdateBrandRequest {
  /** The brand's UUID or slug. */
  id: string;
  /** The brand's etag as it was read. If it has changed since, the call fails. */
  etag?: string;
  name?: string;
  status?: BrandStatus;
}

/** What `listAuditLog` takes. */
export interface ListAuditLogRequest {
  /** Only rows of this actor. */
  actor_id?: string;
  /** Only rows of this type, such as "clinical.biomarker.parsed". */
  event_type?: string;
  entity_type?: string;
  entity_id?: string;
  /** Only rows at or after this instant. */
  since?: string;
  /** Only rows before this instant. */
  until?: string;
  /** At most this many rows: 1 to 100, 20 if absent. */
  limit?: number;
  /** Rows to pass over: at most 10000. */
  offset?: number;
}

const GET_BRAND: Operation = {
  name: "PlatformService/GetBrand",
  verb: "GET",
  path: "/v1/admin/brands/{id}",
};

const UPDATE_BRAND: Operation = {
  name: "PlatformService/UpdateBrand",
  verb: "PATCH",
  path: "/v1/admin/brands/{id}",
  body: { as: "json" },
  keyed: true,
};

const LIST_AUDIT_LOG: Operation = {
  name: "PlatformService/ListAuditLog",
  verb: "GET",
  path: "/v1/admin/audit-log",
  pages: { by: "offset", items: "rows" },
};

/** Brands and what crosses them: the catalogue of tenants and the platform's audit log. */
export class Platform {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Returns one brand.
   *
   * Fails with BRAND_NOT_FOUND.
   */
  getBrand(
    request: GetBrandRequest,
    options: CallOptions = {},
  ): Promise<Brand> {
    return this.#caller.call(GET_BRAND, request, options);
  }

  /**
   * Changes a brand's name or status; only what is sent changes.
   *
   * Fails with BRAND_NOT_FOUND, with ETAG_STALE when the brand is no longer the one that was
   * read, and with BRAND_STATUS when the status cannot follow the present one.
   */
  updateBrand(
    request: UpdateBrandRequest,
    options: CallOptions = {},
  ): Promise<Brand> {
    return this.#caller.call(UPDATE_BRAND, request, options);
  }

  /** Lists the audit log of every service within one brand, newest first. */
  listAuditLog(
    request: ListAuditLogRequest = {},
    options: CallOptions = {},
  ): Promise<ListAuditLogResponse> {
    return this.#caller.call(LIST_AUDIT_LOG, request, options);
  }

  /** The items of every page of `listAuditLog`, asked for as they are needed. */
  iterateAuditLog(
    request: ListAuditLogRequest = {},
    options: CallOptions = {},
  ): AsyncGenerator<AuditLogRow, void, undefined> {
    return this.#caller.items(LIST_AUDIT_LOG, request, options);
  }
}

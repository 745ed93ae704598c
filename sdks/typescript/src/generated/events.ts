// Written by `cargo xtask gen` from loop.events.v1. Do not edit.

import type { Caller, CallOptions, Operation } from "../operation.js";

/** One event on its way to one consumer. */
export interface Delivery {
  attempts: number;
  brand_id?: string;
  consumer?: string;
  correlation_id?: string;
  delivered_at?: string;
  event_id?: string;
  name?: string;
  occurred_at?: string;
  producer?: string;
  state?: DeliveryState;
}

/**
 * Where a delivery stands.
 *
 * - `pending`: Waiting for its consumer.
 * - `delivered`: The effect is committed.
 * - `dead`: Given up after repeated failure; waits for a person.
 */
export type DeliveryState = "pending" | "delivered" | "dead";

/** One kind of event. */
export interface EventType {
  /** The services that react to it. */
  consumers: Array<string>;
  /** The field that orders delivery. */
  key?: string;
  /** The protobuf message of the payload. */
  message?: string;
  /** "clinical.biomarker.parsed.v1". */
  name?: string;
  /** The scope that lets a partner see it; absent: none does. */
  partner_scope?: string;
  /** The service that publishes it. */
  producer?: string;
}

export interface ListDeliveriesResponse {
  deliveries: Array<Delivery>;
  next_page_token?: string;
}

export interface ListEventTypesResponse {
  event_types: Array<EventType>;
}

/** What `listEventTypes` takes. */
export type ListEventTypesRequest = Record<string, never>;

/** What `listDeliveries` takes. */
export interface ListDeliveriesRequest {
  /** Only this event. */
  event_id?: string;
  /** Only events of this name. */
  name?: string;
  /** Only deliveries to this service. */
  consumer?: string;
  /** 1 to 100, 20 if absent. */
  page_size?: number;
  page_token?: string;
}

const LIST_EVENT_TYPES: Operation = {
  name: "EventsService/ListEventTypes",
  verb: "GET",
  path: "/v1/events/catalogue",
};

const LIST_DELIVERIES: Operation = {
  name: "EventsService/ListDeliveries",
  verb: "GET",
  path: "/v1/events/deliveries",
  pages: { by: "token", items: "deliveries" },
};

/** The catalogue of events, and what became of each one sent. */
export class Events {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Lists every event the platform can publish. */
  listEventTypes(
    request: ListEventTypesRequest = {},
    options: CallOptions = {},
  ): Promise<ListEventTypesResponse> {
    return this.#caller.call(LIST_EVENT_TYPES, request, options);
  }

  /** Lists deliveries of events to consumers within one brand, newest first. */
  listDeliveries(
    request: ListDeliveriesRequest = {},
    options: CallOptions = {},
  ): Promise<ListDeliveriesResponse> {
    return this.#caller.call(LIST_DELIVERIES, request, options);
  }

  /** The items of every page of `listDeliveries`, asked for as they are needed. */
  iterateDeliveries(
    request: ListDeliveriesRequest = {},
    options: CallOptions = {},
  ): AsyncGenerator<Delivery, void, undefined> {
    return this.#caller.items(LIST_DELIVERIES, request, options);
  }
}

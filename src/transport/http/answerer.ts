/** What a request asks for: its method, path and query, without the question mark. */
export interface RequestTarget {
  method: string;
  path: string;
  query: string;
}

/** Which of the hosts that share a database answers a request: the leader, or the one that has what is asked for. */
export type Answerer = "leader" | { hostId: string };

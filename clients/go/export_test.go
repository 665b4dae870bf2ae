package holdfast

import "time"

// SetPatience shortens the time for which failing work is retried.
func (c *Client) SetPatience(d time.Duration) { c.patience = d }

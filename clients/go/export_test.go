package holdfast

import "time"

// SetPatience lets a test see how long is tried in vain.
func (c *Client) SetPatience(d time.Duration) { c.patience = d }

package holdfast

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// patience is how long is tried in vain; what gets further begins anew.
	patience = 60 * time.Second
)

// retrier runs work again while it fails in a way that may pass, with growing pauses, until nothing has come of it for as
// long as its patience.
type retrier struct {
	patience time.Duration
	pause    time.Duration
	// The first failure since the work got further; zero: there was none.
	failingSince time.Time
}

func newRetrier(patience time.Duration) *retrier {
	return &retrier{patience: patience, pause: firstPause}
}

// advanced tells that the work got further.
func (r *retrier) advanced() {
	r.pause, r.failingSince = firstPause, time.Time{}
}

// wait waits for the time of the next attempt and answers nil, or answers err where there is to be none. It is given
// whether the failure may pass.
func (r *retrier) wait(ctx context.Context, err error, mayPass bool) error {
	if !mayPass {
		return err
	}
	if ctx.Err() != nil {
		return errorOfContext(ctx)
	}
	now := time.Now()
	if r.failingSince.IsZero() {
		r.failingSince = now
	} else if now.Sub(r.failingSince) > r.patience {
		return err
	}
	// Half of the pause is left to chance, so that those who were cut together do not come back together.
	timer := time.NewTimer(r.pause/2 + rand.N(r.pause/2))
	defer timer.Stop()
	r.pause = min(r.pause*2, longestPause)
	select {
	case <-ctx.Done():
		return errorOfContext(ctx)
	case <-timer.C:
		return nil
	}
}

// do runs work until it succeeds or is not to be tried again.
func (r *retrier) do(ctx context.Context, work func() error) error {
	for {
		err := work()
		if err == nil {
			return nil
		}
		if err = r.wait(ctx, err, isTransient(err)); err != nil {
			return err
		}
	}
}

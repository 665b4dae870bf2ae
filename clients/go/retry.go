package holdfast

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// patience is how long work may fail without progress. Progress restarts it.
	patience = 60 * time.Second
)

// retrier repeats work after transient failures, with growing pauses, until the work fails without progress for longer
// than patience.
type retrier struct {
	patience time.Duration
	pause    time.Duration
	// Time of the first failure since the last progress; zero if there was no failure.
	failingSince time.Time
}

func newRetrier(patience time.Duration) *retrier {
	return &retrier{patience: patience, pause: firstPause}
}

// advanced records progress.
func (r *retrier) advanced() {
	r.pause, r.failingSince = firstPause, time.Time{}
}

// wait waits until the next attempt and returns nil, or returns err if there is no next attempt. mayPass is whether the
// failure is transient.
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
	// Half of the pause is random, so that clients that failed together do not retry together.
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

// do runs work until it succeeds or fails for good.
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

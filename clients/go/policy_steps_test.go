package holdfast_test

import (
	"maps"
	"strings"
	"time"

	managementv1 "holdfast.dev/clients/go/management/v1"
)

func init() { maps.Copy(steps, policySteps) }

// policySteps has the steps of PolicyService.
var policySteps = map[string]func(*scenarioRun, step) (outcome, error){
	"createPolicy": func(r *scenarioRun, s step) (outcome, error) {
		policy, err := r.Policies.CreatePolicy(r.ctx, &managementv1.CreatePolicyRequest{
			Policy:       &managementv1.BackupPolicy{Name: s.Name, Destination: r.uri(s.Destination), Schedule: scheduleOf(s)},
			ValidateOnly: s.ValidateOnly,
		})
		return ofPolicy(policy), err
	},
	"getPolicy": func(r *scenarioRun, s step) (outcome, error) {
		policy, err := r.Policies.GetPolicy(r.ctx, &managementv1.GetPolicyRequest{Name: s.Name})
		r.keep(s.KeepEtag, policy.GetEtag())
		return ofPolicy(policy), err
	},
	"listPolicies": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Policies.ListPolicies(r.ctx, &managementv1.ListPoliciesRequest{})
		names := []string{}
		for _, policy := range response.GetPolicies() {
			names = append(names, policy.Name)
		}
		return outcome{"contains": names}, err
	},
	"updatePolicy": func(r *scenarioRun, s step) (outcome, error) {
		policy, err := r.Policies.GetPolicy(r.ctx, &managementv1.GetPolicyRequest{Name: s.Name})
		if err != nil {
			return nil, err
		}
		policy.Schedule, policy.Etag = scheduleOf(s), r.value(s.Etag)
		policy, err = r.Policies.UpdatePolicy(r.ctx, &managementv1.UpdatePolicyRequest{Policy: policy})
		return ofPolicy(policy), err
	},
	"deletePolicy": func(r *scenarioRun, s step) (outcome, error) {
		_, err := r.Policies.DeletePolicy(r.ctx, &managementv1.DeletePolicyRequest{Name: s.Name})
		return nil, err
	},
	"pausePolicy": func(r *scenarioRun, s step) (outcome, error) {
		policy, err := r.Policies.PausePolicy(r.ctx, &managementv1.PausePolicyRequest{Name: s.Name})
		return ofPolicy(policy), err
	},
	"resumePolicy": func(r *scenarioRun, s step) (outcome, error) {
		policy, err := r.Policies.ResumePolicy(r.ctx, &managementv1.ResumePolicyRequest{Name: s.Name})
		return ofPolicy(policy), err
	},
	"runPolicy": func(r *scenarioRun, s step) (outcome, error) {
		run, err := r.Policies.RunPolicy(r.ctx, &managementv1.RunPolicyRequest{Name: s.Name})
		r.keep(s.KeepRun, run.GetId())
		return ofRun(run, 0), err
	},
	// Waits until the run of the step has ended.
	"listPolicyRuns": func(r *scenarioRun, s step) (outcome, error) {
		for {
			response, err := r.Policies.ListPolicyRuns(r.ctx, &managementv1.ListPolicyRunsRequest{Name: s.Name})
			if err != nil {
				return nil, err
			}
			for _, run := range response.Runs {
				if run.Id == r.value(s.Run) && run.State != managementv1.PolicyRunState_POLICY_RUN_STATE_RUNNING {
					return ofRun(run, len(response.Runs)), nil
				}
			}
			select {
			case <-r.ctx.Done():
				return nil, r.ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	},
	"previewPolicy": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Policies.PreviewPolicy(r.ctx, &managementv1.PreviewPolicyRequest{
			Name: s.Name, Retention: &managementv1.PolicyRetention{KeepLast: s.KeepLast},
		})
		kept := 0
		for _, decision := range response.GetDecisions() {
			if decision.Keep {
				kept++
			}
		}
		return outcome{"count": kept}, err
	},
	"listDeliveries": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Policies.ListDeliveries(r.ctx, &managementv1.ListDeliveriesRequest{Name: s.Name})
		return outcome{"count": len(response.GetDeliveries())}, err
	},
	"testNotifications": func(r *scenarioRun, s step) (outcome, error) {
		response, err := r.Policies.TestNotifications(r.ctx, &managementv1.TestNotificationsRequest{Name: s.Name})
		return outcome{"count": len(response.GetDeliveries())}, err
	},
	"replayDelivery": func(r *scenarioRun, s step) (outcome, error) {
		_, err := r.Policies.ReplayDelivery(r.ctx, &managementv1.ReplayDeliveryRequest{Id: s.ID})
		return nil, err
	},
}

func scheduleOf(s step) *managementv1.PolicySchedule {
	return &managementv1.PolicySchedule{When: &managementv1.PolicySchedule_Cron{Cron: s.Cron}}
}

func ofPolicy(policy *managementv1.BackupPolicy) outcome {
	status := policy.GetStatus()
	return outcome{
		"name":    policy.GetName(),
		"state":   strings.TrimPrefix(status.GetState().String(), "POLICY_STATE_"),
		"healthy": status.GetHealthy(),
		"count":   len(status.GetNextRunsMicros()),
	}
}

func ofRun(run *managementv1.PolicyRun, count int) outcome {
	return outcome{
		"kind":  strings.TrimPrefix(run.GetKind().String(), "POLICY_RUN_KIND_"),
		"state": strings.TrimPrefix(run.GetState().String(), "POLICY_RUN_STATE_"),
		"count": count,
	}
}

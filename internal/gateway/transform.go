package gateway

import (
	"encoding/json"
	"errors"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/webhook"
)

type requestTransform interface{ any }
type responseTransform interface{ any }

// transforms are the compiled transforms of an action; each may be nil.
type transforms struct {
	request  requestTransform
	response responseTransform
}

func compileTransforms(request, response json.RawMessage) (transforms, error) {
	if len(request) > 0 && string(request) != "null" || len(response) > 0 && string(response) != "null" {
		return transforms{}, errors.New("transforms are not available")
	}
	return transforms{}, nil
}

func (x *exchange) transformRequest(*boundAction, *webhook.Request, *callDetails) *action.Error {
	return nil
}

func (x *exchange) transformResponse(_ *boundAction, resp *webhook.Response, _ *callDetails) ([]byte, *action.Error) {
	return resp.Body, nil
}

"""Route that explains one result, rule by rule."""

import json

from fastapi import APIRouter, Depends

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.problems import AsciiJSON, CodedError
from bridge.app.admin.views import ExplainRequest
from bridge.domain.explain import explain, explanation_as_json
from bridge.domain.model import TriggerName, Undecodable


def explain_routes(parts: AdminParts) -> APIRouter:
    """`/triggers/{name}/explain`; it changes nothing, so reading rights do."""
    router = APIRouter(prefix=PREFIX, tags=["explain"], dependencies=[Depends(Gate(parts.tokens, Role.READ))])

    @router.post("/triggers/{name}/explain", response_model=dict[str, object])
    async def explain_result(name: str, request: ExplainRequest) -> AsciiJSON:
        plan = parts.desk.seen(TriggerName(name)).plan
        result = parts.decode(json.dumps(request.result).encode())
        if isinstance(result, Undecodable):
            detail = f"this is not a result: {result.reason}; it would become a dead letter"
            raise CodedError(422, "not_a_result", detail)
        return AsciiJSON(explanation_as_json(explain(plan.rules, result)))

    return router

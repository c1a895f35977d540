"""What they write about: sentences with gaps, by topic. `{amount}` and its like are filled by `mail.py`."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.domain.model import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One reason to write. A mail is an opening, some details and an ask; `weight` is its share among new threads."""

    label: Label | None
    weight: int
    folder: str
    subjects: tuple[str, ...]
    openings: tuple[str, ...]
    details: tuple[str, ...]
    asks: tuple[str, ...]


CONFIRMATION = Topic(
    label=("Settlement", "Confirmation"),
    weight=10,
    folder="Settlements",
    subjects=(
        "Confirmation of settlement {ref}",
        "{product} for value {date}: matched",
        "Please confirm receipt, {ref}",
        "Settled: {quantity} {product}",
    ),
    openings=(
        "We confirm that {ref} settled in full on {date} for {amount}.",
        "This is to let you know that our side of {ref} has matched and {amount} was delivered on {date}.",
        "The {product} under {ref} settled as instructed, value {date}.",
        "Our custodian reports {quantity} {product} received against payment of {amount}.",
    ),
    details=(
        "The credit of {amount} shows on our nostro with value {date}.",
        "Matching status is MACH and the contractual date was {date}.",
        "All {quantity} units are on the safekeeping account ending {digits}.",
        "No partials were taken, and nothing is left open under {ref}.",
        "The agent's reference for the movement is {ref2}.",
    ),
    asks=(
        "Kindly send us your confirmation so that we can close the item.",
        "Please confirm the same on your side.",
        "A short note that you agree is all we need.",
        "Could you confirm the settled quantity by return?",
    ),
)
FAILED = Topic(
    label=("Settlement", "Failed"),
    weight=13,
    folder="Settlements",
    subjects=(
        "Failing trade {ref}",
        "FAIL: {product} {date}",
        "{ref} did not settle",
        "Lack of securities on {ref}",
        "Unmatched at the depository: {ref}",
    ),
    openings=(
        "Trade {ref} over {quantity} {product} failed to settle on {date}.",
        "We see {ref} as failing since {date}, with {amount} outstanding.",
        "Our instruction {ref} is still unmatched at the depository although it was due on {date}.",
        "The delivery of {quantity} {product} under {ref} came back for lack of securities.",
    ),
    details=(
        "The reason code we were given is LACK, and the settlement penalty so far is {small}.",
        "Your side seems to carry {amount2} where ours has {amount}.",
        "Your broker has alleged the trade with a different place of settlement.",
        "A recycled attempt this morning failed again for the same cause.",
        "We are short {quantity} and a buy-in notice may follow after {date}.",
        "The trade date on your instruction differs from ours by one day.",
    ),
    asks=(
        "Please look into the fail and tell us when you expect to deliver.",
        "Can you amend your instruction so that it matches?",
        "Kindly advise the reason for the fail and your estimated settlement date.",
        "Please arrange a partial delivery if the whole is not available.",
    ),
)
INSTRUCTION_CHANGE = Topic(
    label=("Settlement", "Instruction Change"),
    weight=8,
    folder="Settlements",
    subjects=(
        "New standing instructions for {product}",
        "Change of SSI as of {date}",
        "Updated account details, {firm}",
        "Please replace our settlement instructions",
    ),
    openings=(
        "With effect from {date} our standing settlement instructions for {product} change.",
        "We have moved our account to another agent bank and attach the new instructions.",
        "Please replace the SSI you hold for {firm} by the details below.",
        "As of {date} cash in this currency is to be paid to the account ending {digits}.",
    ),
    details=(
        "The old account ending {digits} will be closed two weeks later.",
        "The authorised signatories are unchanged; a call-back to the number on file is welcome.",
        "Trades that settle before {date} are not affected.",
        "The agent's participant code is {ref2}.",
    ),
    asks=(
        "Please update your records and confirm once it is done.",
        "Kindly confirm the first date on which you will use the new details.",
        "Could you amend the static data and let us have a screen print?",
    ),
)
COLLATERAL = Topic(
    label=("Dispute", "Collateral"),
    weight=12,
    folder="Collateral",
    subjects=(
        "Margin call {date}: disputed",
        "Disagreement on collateral call {ref}",
        "Dispute of {amount} under the CSA",
        "Your margin call of {date}",
    ),
    openings=(
        "We dispute your margin call of {date}: our exposure is {amount}, yours reads {amount2}.",
        "We cannot agree to the collateral call {ref} over {amount}.",
        "Our valuation under the credit support annex differs from yours by {amount}.",
        "With regard to call {ref} we only agree to the undisputed part of {amount2}.",
    ),
    details=(
        "The difference comes from two swaps which your portfolio still shows although they matured on {date}.",
        "Your haircut on {product} is {percent} where the annex says less.",
        "The independent amount looks double counted.",
        "We have attached our portfolio for reconciliation, {quantity} trades in all.",
        "The minimum transfer amount of {small} was not applied.",
        "Pledge {ref2} has been in place since {date} and is missing from your figures.",
    ),
    asks=(
        "Please send your portfolio so that we can reconcile the disputed amount.",
        "Kindly review the call and issue a corrected one.",
        "Can your valuation team get in touch about the disputed trades?",
        "We will pay the undisputed amount today and ask you to look at the rest.",
    ),
)
PRICE = Topic(
    label=("Dispute", "Price"),
    weight=10,
    folder="Trade Support",
    subjects=(
        "Price difference on {ref}",
        "{product}: your confirmation shows another price",
        "Query on the executed price, {ref}",
        "We do not recognise the rate on {ref}",
    ),
    openings=(
        "Your confirmation of {ref} shows a price that we did not deal at.",
        "There is a price difference on {ref}, worth {amount} on {quantity} {product}.",
        "We dispute the rate on {ref}: the voice log of {date} has another one.",
        "The accrued interest on {ref} seems to be calculated from the wrong coupon date.",
    ),
    details=(
        "Our dealer has the trade at {price}, your paper says {price2}.",
        "The gross amount should read {amount} and not {amount2}.",
        "The spread was agreed at {percent} before allocation.",
        "The chat transcript of {date} is attached.",
        "Two of the allocations carry the right price, the third does not.",
    ),
    asks=(
        "Please check with your dealer and send an amended confirmation.",
        "Kindly correct the price, since we cannot affirm the trade as it is.",
        "Can you share the recording so that the disputed price can be agreed?",
        "We will not affirm before the price is put right.",
    ),
)
FEE_QUERY = Topic(
    label=("Fees", "Query"),
    weight=11,
    folder="Billing",
    subjects=(
        "Question on invoice {ref}",
        "What is this charge of {small}?",
        "Custody fees for the last quarter",
        "Fee schedule {firm}",
    ),
    openings=(
        "We have a question on invoice {ref} dated {date}.",
        "On our last statement there is a charge of {small} which we cannot explain.",
        "Could you tell us how the custody fee of {small} was worked out?",
        "The invoice for the quarter lists {quantity} transactions, we count fewer.",
    ),
    details=(
        "The tariff we hold says {percent} on assets and no minimum.",
        "The line is called sundry and carries reference {ref2}.",
        "Messages by SWIFT seem to be billed twice.",
        "Tax of {percent} has been added for the first time.",
        "The account ending {digits} was closed on {date} and should carry no fee.",
    ),
    asks=(
        "Please send a breakdown of the fee.",
        "Which line of the tariff does the charge belong to?",
        "Could somebody walk us through the calculation of the fees?",
        "We would like to see the fee schedule that was applied.",
    ),
)
FEE_REFUND = Topic(
    label=("Fees", "Refund"),
    weight=9,
    folder="Billing",
    subjects=(
        "Refund of {small}, invoice {ref}",
        "Please reimburse the penalty on {ref}",
        "Overcharged fees",
        "Claim for compensation {ref}",
    ),
    openings=(
        "We were overcharged by {small} on invoice {ref} and ask for a refund.",
        "You agreed on {date} to reimburse {small}, and nothing has been credited so far.",
        "We claim back the penalty of {small} under {ref}, as the late delivery was on your side.",
        "Invoice {ref} was paid twice, on {date} and once more a day later.",
    ),
    details=(
        "The claim follows the market guideline, at {percent} for the days concerned.",
        "Our claim number is {ref2}.",
        "The duplicate payment of {small} left our account ending {digits}.",
        "The credit note that was announced has not arrived.",
    ),
    asks=(
        "Please credit the amount to our account and confirm the refund.",
        "Kindly let us have the value date of the reimbursement.",
        "We ask for a credit note over the overcharged amount.",
        "Can you return the money before the end of the month?",
    ),
)
DELAY = Topic(
    label=("Complaint", "Delay"),
    weight=9,
    folder="Client Service",
    subjects=(
        "Still no answer on {ref}",
        "Third reminder: {ref}",
        "How much longer?",
        "Complaint: waiting since {date}",
    ),
    openings=(
        "I have been waiting for an answer on {ref} since {date}, and this is my third reminder.",
        "It is now {days} days that nobody has replied to our request.",
        "I must complain about how long this takes: the case was opened on {date}.",
        "We were promised a call back within {days} days and none came.",
    ),
    details=(
        "Each time I ring I am told that it is being looked at.",
        "The delay has cost us a deadline with our own client.",
        "A reply took a week, and then it only asked for what I had sent already.",
        "The ticket {ref2} was closed without a word although nothing had been done.",
    ),
    asks=(
        "I expect an answer without further delay.",
        "Please tell me who is dealing with it and how long it will still take.",
        "Unless we hear from you soon we shall complain to the ombudsman.",
    ),
)
SERVICE = Topic(
    label=("Complaint", "Service"),
    weight=8,
    folder="Client Service",
    subjects=(
        "Unhappy with your service desk",
        "Complaint about the handling of {ref}",
        "Portal down again",
        "Poor experience with onboarding",
    ),
    openings=(
        "I am very unhappy with the way {ref} was handled.",
        "The colleague I spoke to on {date} was rude and hung up on me.",
        "Your portal logged me out {days} times this morning, and the statements are unreadable.",
        "We are disappointed by the service your desk has given us this year.",
    ),
    details=(
        "I was passed on four times and had to explain everything anew.",
        "The form rejects our address because of its letters.",
        "Nobody on the desk seemed to know the product.",
        "Other banks manage this with one phone call.",
    ),
    asks=(
        "I would like this to be recorded as a formal complaint.",
        "Please have a manager call me about the poor service.",
        "Kindly tell us what you will do so that it does not happen again.",
    ),
)
SPAM = Topic(
    label=("Spam",),
    weight=15,
    folder="Inbox",
    subjects=(
        "Double your returns in {days} days 🚀",
        "Exclusive webinar: your seat is waiting",
        "RE: your inquiry about leads",
        "You have been selected, claim now",
    ),
    openings=(
        "Congratulations! You have been selected for our exclusive offer worth {small}.",
        "Earn up to {percent} a month from home, guaranteed and without risk 🚀",
        "Our list of {quantity} verified decision makers is on sale this week only.",
        "Join our free webinar on {date} and learn the secrets of the winners.",
    ),
    details=(
        "Only {days} seats are left at this price!",
        "More than {quantity} happy subscribers cannot be wrong 💰",
        "Limited time discount of {percent} for new subscribers.",
        "No credit card needed, cancel at any time.",
    ),
    asks=(
        "Click here to claim your bonus: https://www.golden-yield-club.example/claim/{digits}",
        "Reply YES to subscribe now!",
        "Buy now before the offer expires. To unsubscribe, reply STOP.",
    ),
)
NOTHING = Topic(
    label=None,
    weight=7,
    folder="Inbox",
    subjects=(
        "Automatic reply: away until {date}",
        "Thank you",
        "Office closed on {date}",
        "New colleague in the team",
    ),
    openings=(
        "I am out of the office until {date} with no access to my mail.",
        "Many thanks for your help yesterday, all is well now.",
        "Our office is closed on {date} for a public holiday.",
        "I would like to introduce a new colleague who joins our desk on {date}.",
    ),
    details=(
        "For anything in between my team can be reached on the usual line.",
        "It was a pleasure to meet you at the conference.",
        "We are back the morning after.",
    ),
    asks=("Have a good week.", "No reply is needed.", "Enjoy the long weekend!"),
)
TOPICS = (
    CONFIRMATION,
    FAILED,
    INSTRUCTION_CHANGE,
    COLLATERAL,
    PRICE,
    FEE_QUERY,
    FEE_REFUND,
    DELAY,
    SERVICE,
    SPAM,
    NOTHING,
)
ALSO = {
    FAILED: (FEE_REFUND, DELAY),
    COLLATERAL: (DELAY, PRICE),
    PRICE: (FAILED, FEE_REFUND),
    FEE_QUERY: (SERVICE, FEE_REFUND),
    DELAY: (FAILED, FEE_QUERY),
}
"""What a mail of one topic may be about besides."""

URGENT: Label = ("Urgent",)
URGENT_FROM = (FAILED, COLLATERAL, PRICE, DELAY, INSTRUCTION_CHANGE)
URGENCY = (
    "This is urgent: the cut-off is at {hour} today.",
    "Please treat this as top priority, our deadline is {hour}.",
    "We need this before close of business today, it is critical.",
    "URGENT, please escalate at once, the market closes at {hour}.",
    "Kindly act immediately, each hour counts and we have to report by {hour}.",
)
GREETINGS = ("Dear team,", "Dear colleagues,", "Hello,", "Good morning,", "Hi all,", "To whom it may concern,", "")
FAREWELLS = ("Kind regards", "Best regards", "Many thanks", "Regards", "Mit freundlichen Grüßen", "Bien cordialement")
FOLLOW_UPS = (
    "Coming back to the message below.",
    "Thank you for your reply, but the point is still open.",
    "We have looked into it further.",
    "Please see the trail underneath.",
    "Adding our custody desk in copy.",
)
PRODUCTS = (
    "government bonds 2031",
    "Harrow plc ordinary shares",
    "covered bonds 2029",
    "FX forwards",
    "interest rate swaps",
    "index certificates",
    "floating rate notes",
)
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY", "PLN", "NOK")
MOVEMENT_LINE = "{date}  {ref}  {amount}  account {digits}"
AUDIT_LINE = "user {digits} opened {ref}, looked at {product} and closed it again"

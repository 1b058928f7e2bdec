package core_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// definitions are the terms that Weir's design defines, and the tests that hold
// Weir to them.
var definitions = map[string][]string{
	"Remaining":                          {"TestDefinitionRemaining", "TestDefinitionRemainingIsMaxLessUsedButNotBelowZero", "TestDefinitionResetOnAdmittedIsWhenRemainingGrows", "TestDefinitionResetOnRefusalIsWhenTheCostFits", "TestDefinitionRetryAfterIsTheWaitRoundedUpFromOne", "TestDefinitionWaitNeverExceedsTheWindow", "TestDefinitionAnUnknowableWaitIsAnnouncedByRetryOrNotAtAll"},
	"Which limit speaks":                 {"TestDefinitionWhichLimitSpeaks", "TestDefinitionTheFirstThatMatchesSpeaks", "TestDefinitionTheRefusingLimitSpeaksOnARefusal", "TestDefinitionForNamesTheLimitThatSpeaks"},
	"cost > max":                         {"TestDefinitionCostAboveMax", "TestDefinitionNeverFitsRollingWaitsTheWindow", "TestDefinitionNeverFitsFixedWaitsForTheWindowsEnd", "TestDefinitionNeverFitsBucketWaitsForAFullBurst"},
	"Plan change":                        {"TestDefinitionPlanChange", "TestDefinitionUnlimitedRollingStartsEmpty", "TestDefinitionUnlimitedBucketStartsEmpty", "TestDefinitionUnlimitedFixedKeepsCounting"},
	"Attributes":                         {"TestDefinitionAttributes", "TestDefinitionMax", "TestFallbacks"},
	"Scope":                              {"TestDefinitionScope"},
	"Settled cost":                       {"TestDefinitionSettledCost", "TestDefinitionReserve", "TestDefinitionSettlingIsRetried", "TestDefinitionRetryQueueIsBounded", "TestGenerations"},
	"Holds":                              {"DefinitionLease", "DefinitionMerge", "DefinitionSeveralIDs", "DefinitionIDsLeftOver", "DefinitionOvertaking", "DefinitionOvertakingForgotten", "DefinitionReleaseOwnFirst", "DefinitionReleaseInPolicy", "DefinitionReleaseTwice", "DefinitionTTL", "TestDefinitionUnleasedSlot"},
	"When a slot ends":                   {"TestSlotEndsBeforeTheLastByte", "TestSlotEndsHoweverTheHandlerEnds", "TestNextRequestAfterTheLastByte", "TestSequentialRequestsUnderAHold"},
	"Shadow":                             {"TestDefinitionShadow", "TestDefinitionShadowNeverDenies", "TestDefinitionShadowLimitReadsNoBody", "TestDefinitionUnlimitedShadowsAndCountsAreSilent"},
	"Paths":                              {"TestDefinitionPaths", "TestDefinitionPreflight"},
	"Bodies":                             {"TestDefinitionBodies", "TestDefinitionBodyLimit"},
	"One request, one charge":            {"TestOneRequestIsChargedOnce"},
	"Clock":                              {"TestDefinitionRollingNeverReadsTheClockBackwards", "TestDefinitionClockFixedNeverAnEarlierWindow", "TestSteadyTimeContinues", "TestDefinitionClock"},
	"Kind or window changed by a reload": {"TestDefinitionKindChanged"},
}

// TestEveryDefinitionHasATest: the tests named above exist, and where the
// design is at hand it defines no term that is missing above.
func TestEveryDefinitionHasATest(t *testing.T) {
	tests := testNames(t)
	for term, names := range definitions {
		for _, name := range names {
			if !tests[name] {
				t.Errorf("%s: there is no %s", term, name)
			}
		}
	}
	design, err := os.ReadFile(filepath.Join("..", "..", "shared", "DESIGN.md"))
	if err != nil {
		return // a clone of its own
	}
	_, section, _ := strings.Cut(string(design), "## Definitions")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile(`(?m)^- \*\*([^*]+)\*\*`).FindAllStringSubmatch(section, -1) {
		if definitions[m[1]] == nil {
			t.Errorf("the design defines %q, for which no test is named", m[1])
		}
	}
}

// testNames finds the module's test functions and the conformance suite's cases.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	form := regexp.MustCompile(`func (Test\w+)\(|"(Definition\w+)"`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || filepath.Base(path) == "definitions_test.go" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range form.FindAllSubmatch(text, -1) {
			names[string(m[1])+string(m[2])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Package docs holds the manual. There is no code here: the package's tests
// load every configuration that the manual shows, follow its links, and look
// for directives, fields and metrics that it forgets.
package docs

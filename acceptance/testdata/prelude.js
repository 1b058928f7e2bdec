// What every script gets: a fetch that speaks to the gateway with the key, the
// console kept in lists, and report, which tells the test what happened.
const BASE = process.env.BASE_URL;
const KEY = process.env.KEY;
const CREDENTIAL = process.env.CREDENTIAL === 'X-API-Key' ? { 'X-API-Key': KEY } : { Authorization: `Bearer ${KEY}` };
const logs = [];
const warnings = [];
console.log = (...words) => logs.push(words.join(' '));
console.warn = (...words) => warnings.push(words.join(' '));
const plainFetch = globalThis.fetch;
globalThis.fetch = (path, options = {}) =>
	plainFetch(BASE + path, { ...options, headers: { ...CREDENTIAL, ...(options.headers || {}) } });
const report = (result) => process.stdout.write(JSON.stringify({ logs, warnings, result }));
const attempt = async (f) => {
	try {
		return await f();
	} catch (error) {
		return { error: error.message };
	}
};
